package config

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A member of an ensemble of keepers inside the broker.
var (
	KeeperID = intSetting(Row{Name: "keeper.id", Default: "0", Room: inKeeper, check: between[int64](0, 255),
		Doc: "Which of keeper.servers runs inside this broker; ZOO_MY_ID is this. 0 is the one whose host is this machine's or pod's name, and none where zookeeper.connect is given and there is none of that name."})

	KeeperServers = stringSetting(Row{Name: "keeper.servers", Room: inKeeper,
		Doc: "All members of the ensemble of which one runs inside each broker, as `server.1=host1:2888:3888;2181 server.2=host2:2888:3888;2181`; ZOO_SERVERS is this. A member may know itself as `0.0.0.0`. With it, zookeeper.connect is not needed."})

	KeeperDataDir = stringSetting(Row{Name: "keeper.data.dir", Room: inKeeper,
		Doc: "The directory of that member; empty is `__keeper` in the first log directory. ZOO_DATA_DIR is this."})

	KeeperAdvertisedHost = stringSetting(Row{Name: "keeper.advertised.host", Room: inKeeper,
		Doc: "The host under which other members reach that member; empty finds it out."})

	KeeperHeartbeat = msSetting(Int, Row{Name: "keeper.heartbeat.ms", Default: "100", Room: inKeeper, check: between[int64](5, 10000),
		Doc: "How often members of the ensemble tell each other that they live. A leader that is not heard of is replaced after six to twelve times that."})

	KeeperQuota = longSetting(Row{Name: "keeper.quota.bytes", Default: "2147483648", Room: inKeeper, check: atLeast[int64](16 << 20),
		Doc: "The most that the metadata may take on the disk, in bytes. Near it the keeper drops their history; from 80 % on no topics and partitions are added, so that elections and all else go on, and the log and the metric barnabas_keeper_quota_alarm say so."})
)

// keeperVariables are the variables of ZooKeeper's image that a broker with a member inside is given, by setting.
var keeperVariables = map[string]string{
	"ZOO_MY_ID": KeeperID.Name, "ZOO_SERVERS": KeeperServers.Name, "ZOO_DATA_DIR": KeeperDataDir.Name,
	"ZOO_ADVERTISED_HOST": KeeperAdvertisedHost.Name, "ZOO_HEARTBEAT_MS": KeeperHeartbeat.Name,
	"ZOO_QUOTA_BYTES": KeeperQuota.Name,
}

// member reads what the settings say of a member inside, and has the broker find the ensemble by its list.
func (l *loading) member() {
	v, list := l.view, KeeperServers.In(l.view)
	id := int(KeeperID.In(v))
	if list == "" {
		if id != 0 {
			l.problem(KeeperID.Def, "says which of keeper.servers runs here, and there are no keeper.servers (ZOO_SERVERS)")
		}
		return
	}
	k := &keeperLoading{values: map[string]given{}, servers: map[int]given{}, keeper: &Keeper{}}
	k.serverList(list)
	member := &Keeper{
		ID: id, DataDir: KeeperDataDir.In(v), Advertised: KeeperAdvertisedHost.In(v),
		Tick: KeeperHeartbeat.In(v), Quota: KeeperQuota.In(v), TickTime: 2 * time.Second,
	}
	for _, number := range slices.Sorted(maps.Keys(k.servers)) {
		m, err := parseMember(number, k.servers[number].value, keeperPort)
		if err != nil {
			k.problem(k.servers[number], err.Error())
		}
		member.Members = append(member.Members, m)
	}
	if id == 0 {
		id = ownMember(member.Members, l.sources)
		member.ID = id
	}
	own := slices.ContainsFunc(member.Members, func(m Member) bool { return m.ID == id })
	for _, p := range k.problems {
		l.problem(KeeperServers.Def, p.Message)
	}
	switch {
	case len(k.problems) > 0 || l.failed(KeeperID.Def):
		return
	case id == 0 && len(l.broker.Keepers.Servers) == 0:
		l.problem(KeeperID.Def, "which of keeper.servers runs here? Set keeper.id (ZOO_MY_ID)")
		return
	case id != 0 && !own:
		l.problem(KeeperID.Def, strconv.Itoa(id)+" is not the number of one of keeper.servers")
		return
	case id != 0:
		if member.DataDir == "" && len(l.broker.LogDirs) > 0 {
			member.DataDir = filepath.Join(l.broker.LogDirs[0], "__keeper")
		}
		l.broker.Member = member
	}
	if len(l.broker.Keepers.Servers) == 0 {
		l.broker.Keepers.Servers = member.clients()
	}
}

// clients are the addresses at which clients find the members, the own one first.
func (k *Keeper) clients() []string {
	var own, others []string
	for _, m := range k.Members {
		host := m.Host
		if m.ID == k.ID {
			host = "127.0.0.1"
			if m.ClientHost != "" && m.ClientHost != "0.0.0.0" {
				host = m.ClientHost
			}
			own = append(own, joinHostPort(host, m.ClientPort))
			continue
		}
		others = append(others, joinHostPort(strings.Trim(host, "[]"), m.ClientPort))
	}
	return append(own, others...)
}
