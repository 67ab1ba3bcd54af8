"""RabbitMQ, through py-amqp."""
