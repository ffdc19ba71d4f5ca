"""What the importer's table says, in Chinese: for docs/from-keepalived.zh-CN.md."""

# ruff: noqa: RUF001, E501 - Chinese has commas of its own, and no short lines

FATES = {"dropped": "去掉", "not carried over": "不转换", "decide": "需要决定"}

CHINESE = {
    "`[node]`, `[process]` and the plugins": "`[node]`、`[process]` 和各插件",
    '`[plugin.NAME]` with `plugin = "script"`, and a check in each instance that tracks it': (
        '`[plugin.NAME]`，`plugin = "script"`；每个跟踪它的实例各有一个 check'
    ),
    "`group` of its instances, and `[group.NAME]`": "各实例的 `group`，以及 `[group.NAME]`",
    '`[plugin.NAME]` with `plugin = "process"`': '`[plugin.NAME]`，`plugin = "process"`',
    '`[plugin.NAME]` with `plugin = "file"`': '`[plugin.NAME]`，`plugin = "file"`',
    "`rate` of `[instance.NAME.announce]`": "`[instance.NAME.announce]` 的 `rate`",
    "what never moves is not hafw's business: let systemd-networkd, netplan or NetworkManager set it": (
        "从不移动的东西不归 hafw 管：交给 systemd-networkd、netplan 或 NetworkManager"
    ),
    "hafw has no BFD: an advert every 100 ms (version 3) finds a dead neighbour as fast": (
        "hafw 没有 BFD：每 100 毫秒一个通告（第 3 版）发现对端失效同样快"
    ),
    (
        "hafw moves addresses and does not balance: let nginx do that, or keep keepalived for this part and let it have "
        "no vrrp_instance"
    ): "hafw 只移动地址，不做负载均衡：交给 nginx，或者为这一部分保留 keepalived，但其中不要有 vrrp_instance",
    '`down_delay` and `up_delay` of `[plugin.NAME]` with `plugin = "interface"`': (
        '`[plugin.NAME]`（`plugin = "interface"`）的 `down_delay` 和 `up_delay`'
    ),
    "the kernel reports every change of a link": "链路的每个变化内核都会报告",
    "run it inside: `ip netns exec NAME hafw run ...`, or NetworkNamespacePath= in the unit": (
        "在其中运行：`ip netns exec NAME hafw run ...`，或单元文件里的 NetworkNamespacePath="
    ),
    "hafw needs no firewall rules": "hafw 不需要防火墙规则",
    "hafw needs no pid file": "hafw 不需要 pid 文件",
    "a second hafw on one machine needs its own `[control] socket` and HAFW_RUN_DIR": (
        "同一台机器上的第二个 hafw 要有自己的 `[control] socket` 和 HAFW_RUN_DIR"
    ),
    "how long a stop may take is TimeoutStopSec= of the unit": "停止可以用多久，由单元文件的 TimeoutStopSec= 决定",
    "`name` of `[node]`": "`[node]` 的 `name`",
    "`to` of `[plugin.notify_email]`": "`[plugin.notify_email]` 的 `to`",
    "`from` of `[plugin.notify_email]`": "`[plugin.notify_email]` 的 `from`",
    "`smtp` of `[plugin.notify_email]`": "`[plugin.notify_email]` 的 `smtp`",
    "`timeout` of `[plugin.notify_email]`": "`[plugin.notify_email]` 的 `timeout`",
    "hafw greets a mail server with the name of the host": "hafw 用主机名向邮件服务器问候",
    '`on` of `[plugin.notify_email]` without `"fault"`': '`[plugin.notify_email]` 的 `on`，不含 `"fault"`',
    "hafw moves addresses and leaves IPVS alone": "hafw 只移动地址，不碰 IPVS",
    "`user` of the plugins that run scripts": "运行脚本的插件的 `user`",
    "always on: a script that others can change is an error of `hafw check`": (
        "始终如此：别人能改的脚本，`hafw check` 会报错"
    ),
    "a script has the groups of its `user`": "脚本具有其 `user` 的组",
    "hafw follows links and checks every folder on the way": "hafw 跟随链接，并检查沿途的每个目录",
    "belongs to the systemd unit: UMask=": "属于 systemd 单元文件：UMask=",
    "belongs to the systemd unit: ExecStartPre= and ExecStopPost=": "属于 systemd 单元文件：ExecStartPre= 和 ExecStopPost=",
    "`version` of every instance that has none; 2 is written, since hafw's own is 3": (
        "没有写明版本的实例的 `version`；会写出 2，因为 hafw 的默认是 3"
    ),
    "`repeat` of `[instance.NAME.announce]`": "`[instance.NAME.announce]` 的 `repeat`",
    "`refresh` of `[instance.NAME.announce]`": "`[instance.NAME.announce]` 的 `refresh`",
    "one announcement for each `refresh` is enough: whatever is lost comes again": "每次 `refresh` 通告一遍就够：丢了的还会再来",
    "after a rival hafw announces by the same `repeat` again": "争用之后，hafw 按同样的 `repeat` 再通告一遍",
    '`repeat = ["0s"]` of `[instance.NAME.announce]`': '`[instance.NAME.announce]` 的 `repeat = ["0s"]`',
    "every address is announced on its own interface, again with each `refresh`": (
        "每个地址都在自己的网卡上通告，每次 `refresh` 再来一遍"
    ),
    "an advert with other addresses is accepted and reported, never dropped": "地址不同的通告照样接受并报告，从不丢弃",
    (
        "not as a mode: it made keepalived drop every packet to the virtual addresses, ignore passwords and refuse "
        "unicast; hafw answers, and `version` and `auth` follow what keepalived did"
    ): (
        "没有这种模式：它让 keepalived 丢弃发往虚拟地址的所有报文、忽略密码、拒绝单播；hafw 会应答，`version` 和 `auth` "
        "按 keepalived 当时的实际行为转换"
    ),
    "always on: an advert from who is no peer is refused": "始终如此：不是对端发来的通告一律拒绝",
    "hafw answers a worse advert within the limits of RFC 9568, and announces again": (
        "对优先级更低的通告，hafw 在 RFC 9568 的限度内应答，并再次通告地址"
    ),
    "not needed: the better router announces when it takes over": "不需要：更好的路由器接管时会通告",
    "an owner does as RFC 9568 says": "地址所有者按 RFC 9568 行事",
    "`realtime` of `[process]`": "`[process]` 的 `realtime`",
    "`lock_memory` of `[process]`": "`[process]` 的 `lock_memory`",
    "`cpus` of `[process]`": "`[process]` 的 `cpus`",
    "a nice value is Nice= of the unit; `realtime` of `[process]` is stronger": (
        "nice 值是单元文件的 Nice=；`[process]` 的 `realtime` 更强"
    ),
    "nothing kills hafw for running long": "不会因为运行太久而被杀",
    "hafw notices that it was late and hears the others first": "hafw 发觉自己迟了，就先听别人的",
    "`startup_delay` of `[node]`": "`[node]` 的 `startup_delay`",
    "always so: an interface that does not exist yet is waited for": "始终如此：网卡还不存在就等它",
    "`interface` of an instance that names none": "没有写明网卡的实例的 `interface`",
    "`path` of `[plugin.fifo]`": "`[plugin.fifo]` 的 `path`",
    "`script` of `[plugin.fifo]`": "`[plugin.fifo]` 的 `script`",
    "a change of priority is an event of its own: `hafw events`": "优先级变化本身就是事件：`hafw events`",
    "`replay = true` in `[plugin.fifo]` tells them to each new process of the plugin; `hafw status` to who asks": (
        "`[plugin.fifo]` 里的 `replay = true` 会把状态告诉插件的每个新进程；也可以用 `hafw status` 查询"
    ),
    "the kernel drops what is for other VRIDs before hafw hears it": "别的 VRID 的报文，内核在 hafw 听到之前就丢掉了",
    "hafw sizes its socket buffers itself": "hafw 自己决定套接字缓冲区的大小",
    "hafw names the interface of a virtual MAC by itself": "虚拟 MAC 的网卡由 hafw 自己命名",
    "hafw has no SNMP: `hafw status --json` and `hafw events --json` tell all of it": (
        "hafw 没有 SNMP：`hafw status --json` 和 `hafw events --json` 都能看到"
    ),
    "hafw has no D-Bus interface: its control socket answers `hafw status --json`": (
        "hafw 没有 D-Bus 接口：用控制套接字，`hafw status --json`"
    ),
    "the processes of hafw have their names": "hafw 的进程各有其名",
    "always so: a reload takes the whole new file or changes nothing": "始终如此：重载要么采用整个新文件，要么什么也不变",
    "a reload at a given time is `hafw reload` in a systemd timer": "定时重载就是在 systemd 定时器里执行 `hafw reload`",
    "housekeeping that hafw has no need of": "hafw 用不着的内务",
    "`hafw status --json` tells it at any time, without a file": "`hafw status --json` 随时可查，不需要文件",
    "there is no process for IPVS here": "这里没有 IPVS 进程",
    "there is no process for BFD here": "这里没有 BFD 进程",
    "nothing: the priorities elect, as they did with keepalived": "无：由优先级选举，在 keepalived 里其实也是如此",
    "`priority`; 255 is `owner = true`": "`priority`；255 即 `owner = true`",
    "the first virtual address decides the family": "由第一个虚拟地址决定协议族",
    "`preempt`, which is true when left out": "`preempt`，不写即为 true",
    "hafw needs one address at least, which an advert has to carry": "hafw 至少要有一个地址：通告里必须有",
    "belongs to `use_vmac`; hafw arranges it by itself": "属于 `use_vmac`；hafw 自己安排",
    "hafw has no ipvlan: the addresses are bound on the interface itself": "hafw 没有 ipvlan：地址直接绑定在网卡上",
    '`[instance.NAME.check.INTERFACE]` with `plugin = "interface"`': (
        '`[instance.NAME.check.INTERFACE]`，`plugin = "interface"`'
    ),
    '`[instance.NAME.check.FILE]` with `plugin = "file"`': '`[instance.NAME.check.FILE]`，`plugin = "file"`',
    '`[instance.NAME.check.PROCESS]` with `plugin = "process"`': '`[instance.NAME.check.PROCESS]`，`plugin = "process"`',
    "hafw has no BFD: a check that asks the same neighbour can stand for it": (
        "hafw 没有 BFD：可以用一个询问同一邻居的检查代替"
    ),
    "`notify_master` of `[plugin.notify_script]`": "`[plugin.notify_script]` 的 `notify_master`",
    "`notify_backup` of `[plugin.notify_script]`": "`[plugin.notify_script]` 的 `notify_backup`",
    "`notify_fault` of `[plugin.notify_script]`": "`[plugin.notify_script]` 的 `notify_fault`",
    "`notify_stop` of `[plugin.notify_script]`": "`[plugin.notify_script]` 的 `notify_stop`",
    "`notify` of `[plugin.notify_script]`, with the same four arguments": (
        "`[plugin.notify_script]` 的 `notify`，同样的四个参数"
    ),
    "`notify_deleted` of `[plugin.notify_script]`": "`[plugin.notify_script]` 的 `notify_deleted`",
    "`notify_master_rx_lower_pri` of `[plugin.notify_script]`": (
        "`[plugin.notify_script]` 的 `notify_master_rx_lower_pri`"
    ),
    "an address always answers here": "地址在这里总会应答",
    (
        "a virtual address that drops what is sent to it serves nobody: hafw always answers; for one that only "
        "forwards, keep the packets out with nftables"
    ): "丢弃来访报文的虚拟地址对谁都没有用：hafw 总会应答；只做转发的，用 nftables 挡住报文",
    "only in what it changes: see `vrrp_strict`": "只转换它改变的东西：见 `vrrp_strict`",
    "always so: unicast without a peer is an error of `hafw check`": "始终如此：单播而没有对端，`hafw check` 会报错",
    "hafw sends 255 and refuses less: a peer beyond a router is not heard": (
        "hafw 发送 255，小于它的一律拒绝：隔着路由器的对端听不到"
    ),
    "for keepalived before 1.3.7 only; hafw accepts both forms of version 3": (
        "只用于 1.3.7 之前的 keepalived；第 3 版的两种形式 hafw 都接受"
    ),
    "always on: without its source address hafw waits for it": "始终如此：源地址不在就等它",
    "always on: who was late hears the others first": "始终如此：迟了的先听别人的",
    "hafw switches it on where it needs it": "需要的地方 hafw 自己打开",
    "hafw sends on `interface`, in whatever VRF that is": "hafw 在 `interface` 上发送，不管它在哪个 VRF",
    "hafw moves addresses and leaves IPVS alone: see lvs_sync_daemon": "hafw 只移动地址，不碰 IPVS：见 lvs_sync_daemon",
    "keepalived does nothing with it either": "keepalived 也不用它",
    '`group = "NAME"` in each of its instances': '每个成员实例里的 `group = "NAME"`',
    '`[group.NAME.check.INTERFACE]` with `plugin = "interface"`': '`[group.NAME.check.INTERFACE]`，`plugin = "interface"`',
    '`[group.NAME.check.FILE]` with `plugin = "file"`': '`[group.NAME.check.FILE]`，`plugin = "file"`',
    '`[group.NAME.check.PROCESS]` with `plugin = "process"`': '`[group.NAME.check.PROCESS]`，`plugin = "process"`',
    "keepalived knows it in instances only": "keepalived 只在实例里认识它",
    "routers of a group that weigh differently are elected apart from each other: put checks into the group": (
        "同组而权重不同，就会各选各的：把检查放进组里"
    ),
    '`command` of `[plugin.NAME]` with `plugin = "script"`': '`[plugin.NAME]`（`plugin = "script"`）的 `command`',
    "`interval` of the check": "check 的 `interval`",
    "`timeout` of the check and of the plugin": "check 和插件的 `timeout`",
    "`weight` of the check; 0 is `critical = true`, `reverse` is `reverse = true`": (
        "check 的 `weight`；0 即 `critical = true`，`reverse` 即 `reverse = true`"
    ),
    "`rise` of the check": "check 的 `rise`",
    "`fall` of the check": "check 的 `fall`",
    "`user` of the plugin": "插件的 `user`",
    "always so: a check counts when it has answered": "始终如此：检查有了结果才算数",
    '`process` of `[plugin.NAME]` with `plugin = "process"`': '`[plugin.NAME]`（`plugin = "process"`）的 `process`',
    "`weight` of the check; 0 is `critical = true`": "check 的 `weight`；0 即 `critical = true`",
    "`quorum` of the plugin": "插件的 `quorum`",
    "`quorum_max` of the plugin; 0 is `reverse = true`": "插件的 `quorum_max`；0 即 `reverse = true`",
    "`up_delay` and `down_delay` of the plugin": "插件的 `up_delay` 和 `down_delay`",
    "`down_delay` of the plugin": "插件的 `down_delay`",
    "`up_delay` of the plugin": "插件的 `up_delay`",
    "always so: with arguments the whole command counts": "始终如此：带参数时比较整条命令",
    "`match` of the plugin": "插件的 `match`",
    '`path` of `[plugin.NAME]` with `plugin = "file"`': '`[plugin.NAME]`（`plugin = "file"`）的 `path`',
    "`missing` of the plugin: hafw writes no file that it watches": "插件的 `missing`：hafw 不写它所监视的文件",
    "says which instances get that `rate`": "说明哪些实例用这个 `rate`",
    "belongs to static addresses, which hafw leaves alone": "属于静态地址，hafw 不碰",
}
