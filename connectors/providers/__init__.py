"""Built-in providers: one module or package each, with a ``DECLARATION``; they import the SDK only."""
