"""What MailMum knows of Postfix: configuration text and merging, no processes."""
