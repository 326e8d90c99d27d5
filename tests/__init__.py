"""The test suite; each folder below mirrors a layer of the product."""
