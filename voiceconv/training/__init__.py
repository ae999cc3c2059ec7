"""Two players trained in turns, resumable to the bit. Knows neither audio nor any GAN family."""
