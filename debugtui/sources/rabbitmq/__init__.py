"""One RabbitMQ, through its management API."""
