"""The same work as the labs' in other frameworks, each written as well as its users would."""
