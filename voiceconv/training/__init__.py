"""The training loop, with bit-exact resume. Independent of audio and GAN family."""
