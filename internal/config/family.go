package config

// init gives each topic's setting its broker's settings: the value for topics that have none of their own.
// They are the topic's row under another name, some in another unit.
func init() {
	for _, t := range Table() {
		if !t.Topic {
			continue
		}
		for i, synonym := range t.Family {
			if server[synonym.Name] == nil { // some have a row and a reader of their own
				t.defineSynonym(i, synonym)
			}
		}
	}
}

func (d *Def) defineSynonym(i int, synonym Synonym) {
	row := d.Row
	row.Name, row.Room, row.Family = synonym.Name, d.Room, d.Family
	kind := d.Kind
	if len(d.Family) > 1 {
		row.Default, row.Null = synonym.Default, synonym.Default == ""
	}
	if i > 0 {
		row.Update = ReadOnly
	}
	if synonym.Milliseconds > 0 {
		kind, row.check = Int, check{}
	}
	row.Doc = "The " + d.Name + " of topics that have none of their own. " + d.Doc
	if d.Room == "" {
		row.Doc = d.Doc
	}
	switch kind {
	case Long:
		define[int64](row, kind, false, parseLong)
	case Int:
		define[int](row, kind, false, parseInt)
	case List:
		define[[]string](row, kind, false, parseList)
	case String:
		define[string](row, kind, false, parseString)
	case Boolean:
		define[bool](row, kind, false, parseBool)
	case Double:
		define[float64](row, kind, false, parseDouble)
	}
}
