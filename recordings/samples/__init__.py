"""Samples: the units of training, with a mask that is 1 on ids that the model generated."""
