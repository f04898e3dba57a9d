// Package topicfile reads KafkaTopic documents: the topics that shall be there, as YAML or JSON in a directory, which may be a ConfigMap
// that Kubernetes has mounted. It accepts those that people have for Strimzi's operator. What is wrong is named with its
// file and line, and does not keep the other documents from being read.
//
// A directory is read whole each time, by whoever asks; nothing runs here.
package topicfile
