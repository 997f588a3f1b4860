"""Running a pipeline: Beam's runners, what the parts of one process share, figures, memory."""
