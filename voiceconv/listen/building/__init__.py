"""From folders of conversions to TEST/: what is asked, by which sounds, in which order."""
