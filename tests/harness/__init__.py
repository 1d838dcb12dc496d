"""What tests share to drive the real pipeline: roles as processes, commands in, records out."""
