"""What operators read: JSON log lines and Prometheus metrics, neither with secrets nor with personal data."""
