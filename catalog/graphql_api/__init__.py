"""GraphQL: the schema made of the features' resolvers, and the guards before it."""
