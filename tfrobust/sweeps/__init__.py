"""Many runs of one configuration with other values: what to run, the running, and what came out."""
