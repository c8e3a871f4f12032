"""Ask providers how they are, and turn every answer or failure into a health class."""
