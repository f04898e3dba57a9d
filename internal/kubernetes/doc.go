// Package kubernetes is what a broker in a pod knows of the cluster around it: the downward API's variables, and the
// API server, as far as the pod's service account may read and write there. It is a small client over net/http: the usual library would
// take more memory than a whole broker.
//
// Nothing here is needed to run. Whatever is not allowed, or not there, is said once by who asked, and done without. The
// only goroutine is that of a Recorder, from NewRecorder to Stop.
package kubernetes
