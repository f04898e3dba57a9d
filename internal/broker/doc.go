// Package broker builds, starts and stops all rooms of one broker, and holds the adapters between them: rooms of
// one level do not know each other, so whatever two of them have to say passes through here.
//
// Start goes from what others need to what needs others: settings, log directories and keeper (at the
// same time, neither waits for the other), metadata feed, registration, controller, partitions, groups, and last the
// listeners' requests. Stop goes the other way: no new requests, those under way finish, coordinators
// and controller end, logs are synced and marked clean, the registration goes, the keeper last.
//
// The goroutines here are chores that Start begins and Stop waits for (Broker.background): the proposer, which carries leaders'
// proposals to the metadata store; the mender, which brings partitions back when a log directory comes back; the session, which
// keeps the registration; answers to the controller, declared topics and others. Beside them are one or two for each leader that
// is copied from (fetchers.go), one for each other broker whose pulse is felt (pulse.go), and the HTTP server's.
package broker
