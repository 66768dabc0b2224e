--- The options of `cluster.serve`: what each means, its default and its range, against which cluster.lua checks
--- what it is given; and what `cluster.listen` and `cluster.connect` take besides.

local settings = {}

--- What `cluster.serve` takes. All bounds are for one connection each, but for `maxconnections`,
--- `maxperhost`, `maxaccepts` and `maxhandshakes`.
---@class silly.net.cluster.conf
--- Makes bytes of a body. `kind` is "request" or "response"; `cmd` is what call or send was given, and
--- for a response the number that came in. Returns a command number, of which 32 bits are sent, and a
--- string; nil and a reason not to send. An answer carries no command, but a number must be there.
---@field marshal fun(kind: "request"|"response", cmd: any, body: any): integer?, string?
--- Makes a body of bytes. Returns it; or nil and a reason, which call returns for an answer. For a
--- request it is logged, and the caller runs into its timeout.
---@field unmarshal fun(kind: "request"|"response", cmd: any, data: string): any, string?
--- Handles a request, in a task of its own, so it may wait. Returns the answer's body; with nil,
--- `marshal` is asked all the same, and its nil means no answer.
---@field call fun(peer: silly.net.cluster.peer, cmd: integer, body: any): any
--- A connection has come in from "ip:port", or through the socket at "unix:/path". `false` or an error
--- refuses it: it is closed, and unless this function has waited none of its requests is handled.
---@field accept? fun(peer: silly.net.cluster.peer, addr: string): boolean?
--- A connection has ended, but not by `cluster.close`. 0: the other end closed in order; 104: it was
--- reset; 110: silence; 105: the other end passed a bound; 71: what came was no frame, or TLS failed.
---@field close? fun(peer: silly.net.cluster.peer, errno: integer)
--- Milliseconds that a call, send or connect may take in all, 1 to 86,400,000; 5000 by default. Too
--- short fails calls that a loaded peer would have answered; too long keeps tasks waiting for a peer
--- that is gone.
---@field timeout? integer
--- Seconds of silence after which a peer counts as gone, 2 to 32,767, or `false` for never; 30 by
--- default. For connections made from then on. Silence is: its system answers no probe, or takes
--- nothing of what is queued for it, or it stops in the middle of a frame (with `false`, for 30 s; this
--- part holds at once for all connections). Too short ends connections over a short outage, and to a
--- peer that computes for that long without reading; too long keeps those that are gone.
---@field keepalive? integer|false
--- Bytes queued from which on call and send wait for room, 1 to 1,073,741,824; 1,048,576 by default. Too
--- low makes senders wait in every burst; too high lets each slow peer cost that much memory.
---@field highwater? integer
--- Calls unanswered from which on call and send wait, 1 to 16,777,216; 131,072 by default. Too low makes
--- callers wait for each other; too high lets a stuck peer hold that many tasks.
---@field maxcalls? integer
--- Bytes queued beyond which a peer that asks without reading its answers is closed, 1 to
--- 1,073,741,824; 67,108,864 by default. Too low closes peers that are merely slow; too high lets each
--- cost that much memory.
---@field maxanswers? integer
--- Requests whose handlers have not ended beyond which a peer is closed, 1 to 16,777,216; 262,144 by
--- default. Messages of send count, and calls whose caller has given up, which no `maxcalls` bounds:
--- with slow handlers, too low closes peers that do nothing wrong. Too high lets each peer start that
--- many tasks.
---@field maxrequests? integer
--- The generation of the wire, 1 to 2, where `listen` and `connect` are not told another; 1 by default,
--- the documented one. 2 is what nodes of silly 0.7.1 and later speak; its messages may be longer. Both ends of a
--- connection must have the same: it is never negotiated.
---@field wire? 1|2
--- Bytes of a message of generation 2, 20 to 2,147,483,647; 134,217,728 by default. A longer one is not
--- sent: call and send return nil and a message. A peer that announces one is closed. Too low refuses
--- what was meant to be sent; too high lets a peer make this side gather that much.
---@field hardlimit? integer
--- Bytes of a message of generation 2 beyond which the log has a warning, 4 to 2,147,483,647; 65,535 by
--- default. Of each connection it is told once, and again when messages have become twice as long. Too
--- low warns of what is usual; too high hides what holds up everything else on the connection.
---@field softlimit? integer
--- Connections at a time that came in, 1 to 16,777,216; 65,536 by default. One more is closed at once, and
--- the log says so, at most once a second. Too low turns nodes away; too high lets strangers take all
--- descriptors of the process, which then can neither connect nor open a file.
---@field maxconnections? integer
--- The same for those of one host, 1 to 16,777,216; 16,384 by default. A host is an address, with IPv6 a
--- network of 64 bits; Unix sockets have none. Too low turns away what is behind a gateway or a translated
--- address; too high lets one host take what is there for all.
---@field maxperhost? integer
--- Connections taken in within a second, on all listeners, 1 to 1,000,000; 50,000 by default. More wait in
--- the backlog, and nobody is turned away. Too low makes nodes wait after a restart; too high lets a storm
--- of connections take the time of those that are there.
---@field maxaccepts? integer
--- TLS for all that listens and connects and is not told otherwise; none by default.
---@field tls? silly.net.cluster.tls|false
--- TLS handshakes of those who come in, at a time, 1 to 65,536; 256 by default. More wait in the backlog, and
--- nobody is turned away. Too low lets a few silent strangers keep nodes waiting; too high lets many cost
--- memory, and time of those that are there.
---@field maxhandshakes? integer
--- Milliseconds that each of them may take that begins from then on, 1 to 86,400,000; 5000 by default. Then it
--- is closed, and the log says so. Too short turns nodes away over a slow line; too long lets silent strangers
--- keep their place.
---@field handshake? integer
--- Which edition of silly the script is written to; "0.6" by default, the documented one. With "0.7", for
--- the whole process: `wire` is 2 by default; `connect` returns a handle of its own without waiting, which
--- connects when it is used, and nil and a message for a malformed address; `accept` gets the peer alone;
--- `close` gets a text like `errno.EOF`; a closed handle has no `addr`; and errors are the system's words
--- with their number, such as "Connection refused (111)", `errno.TIMEDOUT` for a timeout, `errno.CLOSED`
--- for what is closed while waiting, "Peer closed". Of `silly.net.tcp` a read returns nil and `errno.EOF`
--- at the end, and `conn.remoteaddr` is a field.
---@field edition? "0.6"|"0.7"

--- What `cluster.listen` takes besides.
---@class silly.net.cluster.listen_options
--- The generation of the wire, 1 to 2, that those who connect speak; what serve says by default. Nodes of the
--- other one are closed, as soon as that is certain with a line in the log that says so.
---@field wire? 1|2
--- Who may connect to a Unix socket: the rights of its file as octal digits, of which those to write
--- count; "600" by default, its owner only. "660" lets the group in, "666" everybody on the machine. Of
--- no meaning for other addresses.
---@field mode? string
--- TLS for those who connect; what serve says by default. `false` is none.
---@field tls? silly.net.cluster.tls|false

--- What `cluster.connect` takes besides.
---@class silly.net.cluster.connect_options
--- `false` asks for a handle of one's own, for pools; true by default.
---@field shared? boolean
--- The generation of the wire, 1 to 2, that the other end speaks; what serve says by default. Handles of both
--- generations are never shared.
---@field wire? 1|2
--- TLS to connect with; what serve says by default. `false` is none. Handles with different ones are never
--- shared.
---@field tls? silly.net.cluster.tls|false

--- The option `tls` of `cluster.serve`, for what listens and connects without one of its own, and of
--- `cluster.listen` and `cluster.connect`. Files are PEM. They are read when an option names them, unless a
--- listener or a handle uses the same ones, and again by `cluster.reload_tls`.
---@class silly.net.cluster.tls
--- The certificate that this end shows, then those between it and the CA; none by default. With `key`, and
--- needed to listen.
---@field cert? string
--- The key of `cert`, not encrypted; none by default.
---@field key? string
--- The certificates of the CA, or of several, that sign those of the other ends; none by default. Needed with
--- `verify`.
---@field ca? string
--- Whether the other end must show a certificate that is signed by `ca`, is valid now and, where it was
--- connected to, is for its name; true by default. With `false` a listener asks for none, and a connection
--- takes any: what is sent is secret then, but not whom it goes to.
---@field verify? boolean
--- Whom a connection is for: a name, or an address, that the other end's certificate must have; by default the
--- host of the address, with "srv:" that of the target, with "unix:" "localhost".
---@field server_name? string

--- All of serve's.
settings.OPTIONS = {
	"marshal", "unmarshal", "call", "accept", "close",
	"timeout", "keepalive", "highwater", "maxcalls", "maxanswers", "maxrequests",
	"wire", "hardlimit", "softlimit", "edition", "maxconnections", "maxperhost", "maxaccepts",
	"tls", "maxhandshakes", "handshake",
}

--- A day; calls that outlive it are not calls any more.
local LONGEST_TIMEOUT = 24 * 3600 * 1000
settings.LONGEST_TIMEOUT = LONGEST_TIMEOUT

--- The options of serve that are numbers: the default, the least, the most.
local NUMBERS = {
	timeout = { 5000, 1, LONGEST_TIMEOUT },
	keepalive = { 30, 2, 32767 }, -- the kernel takes no more
	highwater = { 1024 * 1024, 1, 1024 * 1024 * 1024 },
	maxcalls = { 128 * 1024, 1, 16 * 1024 * 1024 },
	maxanswers = { 64 * 1024 * 1024, 1, 1024 * 1024 * 1024 },
	maxrequests = { 256 * 1024, 1, 16 * 1024 * 1024 },
	wire = { 1, 1, 2 },
	hardlimit = { 128 * 1024 * 1024, 20, 2 ^ 31 - 1 },
	softlimit = { 65535, 4, 2 ^ 31 - 1 },
	maxconnections = { 64 * 1024, 1, 16 * 1024 * 1024 },
	maxperhost = { 16 * 1024, 1, 16 * 1024 * 1024 },
	maxaccepts = { 50000, 1, 1000000 },
	maxhandshakes = { 256, 1, 65536 },
	handshake = { 5000, 1, LONGEST_TIMEOUT },
}
settings.NUMBERS = NUMBERS

return settings
