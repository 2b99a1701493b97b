"""Inference that respects the data: residuals of a landscape are lack of fit, which neighbours share."""
