"""Views of the OpenAPI and AsyncAPI documents, as the reference pages show them."""
