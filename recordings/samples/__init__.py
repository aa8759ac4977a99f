"""Recording → samples: the units of training, with a mask that is 1 on what the model generated."""
