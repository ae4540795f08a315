"""What steps, evaluations and methods cost, measured."""
