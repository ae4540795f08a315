"""All checks: their settings by id, and the page that describes them."""
