"""The measures, one a file: which arms they need, and how their figure follows from the samples."""
