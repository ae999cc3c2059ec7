"""Measures of a conversion, one module each: conventions, validate(), the functions, evaluate()."""
