/// A mirror between any two logs.
