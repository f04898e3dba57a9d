package metrics

// LogDir is the state of one log directory, as a scrape shows it.
type LogDir struct {
	Path       string
	Offline    bool
	TotalBytes int64 // of its volume; 0 when unknown
	FreeBytes  int64
}

// LogDirSource is whoever owns the log directories.
type LogDirSource interface {
	LogDirStates() []LogDir
}

// AddLogDirs shows the log directories of source at every scrape.
func (r *Registry) AddLogDirs(source LogDirSource) { r.Add(logDirs{source}) }

type logDirs struct{ source LogDirSource }

// Collect writes Kafka's gauges of log directories, and the room that is left on their volumes.
func (c logDirs) Collect(w *Writer) {
	dirs := c.source.LogDirStates()
	offline := int64(0)
	w.Family("kafka_log_logmanager_logdirectoryoffline", GaugeType, "1 where the directory has failed.")
	for _, dir := range dirs {
		offline += one(dir.Offline)
		w.Count(one(dir.Offline), "logDirectory", dir.Path)
	}
	w.Family("kafka_log_logmanager_offlinelogdirectorycount", GaugeType, "Log directories that have failed.")
	w.Count(offline)
	w.Family("barnabas_log_directory_size_bytes", GaugeType, "The size of the directory's volume.")
	for _, dir := range dirs {
		w.Count(dir.TotalBytes, "logDirectory", dir.Path)
	}
	w.Family("barnabas_log_directory_free_bytes", GaugeType, "What is free on the directory's volume.")
	for _, dir := range dirs {
		w.Count(dir.FreeBytes, "logDirectory", dir.Path)
	}
}
