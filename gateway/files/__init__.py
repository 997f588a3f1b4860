"""Files of feedback: rows to events, column maps, previews, refused rows."""
