"""Genres of piano rolls: a classifier, and what a conversion is worth by it."""

from voiceconv.genre.classifier import Classifier, train_classifier
from voiceconv.genre.scores import Example, Row, score, strength

__all__ = ["Classifier", "Example", "Row", "score", "strength", "train_classifier"]
