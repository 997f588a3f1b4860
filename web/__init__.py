"""What both HTTP sides share: problem documents and the API-key guard."""
