"""Hardware constants from timings: discrete ones profiled, continuous ones from fitted costs."""
