//go:build race

package stories

// raceDetector says that the server is built with the race detector too.
const raceDetector = true
