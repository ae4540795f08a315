"""What an evaluation found, as JSON, CSV, Markdown and a page."""
