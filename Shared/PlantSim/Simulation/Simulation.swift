/// The plant simulated: the real cores of all services in one deterministic loop.
