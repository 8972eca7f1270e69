"""The pages on which the API's document can be read and tried out: Swagger UI and ReDoc."""
