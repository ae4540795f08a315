"""Several machines that train one model: who they are, whether they live, what they have agreed on."""
