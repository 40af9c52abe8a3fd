package simulator_test

import "github.com/google/uuid"

func freshID() string { return uuid.Must(uuid.NewV7()).String() }
