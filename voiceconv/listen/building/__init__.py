"""From folders of conversions to TEST/: questions, sounds and their order."""
