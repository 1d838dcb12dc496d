"""Writers of drafts, one module each; a module with a ``DECLARATION`` is a writer (``registry``)."""
