//go:build !race

package stories

// raceDetector says that the server is built without the race detector.
const raceDetector = false
