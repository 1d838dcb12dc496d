"""What the pipeline can do, beside what it stands on and beside its peers (`make bench`)."""
