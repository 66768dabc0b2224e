---@meta silly.core

--- The native module, `require "silly.core"`, for LuaLS: what src/lua/ puts into it, which the Lua files
--- stand on. Not for scripts, and no module: nothing requires this file. tools/check-core compares it with
--- the library.
---
--- An *id* names a connection, a listener or a timer for good: once that is gone it finds nothing. A *slot*
--- is a place in arrays, from 1 on, and is used again. Expected failures are nil and a message. Times are in
--- milliseconds where nothing else is said.

---@class silly.core
---@field version string of the library
---@field gitsha1 string the commit it was built from; "" outside a checkout
---@field pid integer this process's id
---@field sees_tasks boolean whether call and send see to it that only a task waits; else Lua looks before
---@field may_wait? fun(): boolean whether the running coroutine may wait: on Lua 5.1 alone, whose
---  `coroutine` has no `isyieldable`
---@field pool_limit integer how many finished coroutines are kept for the next tasks
---@field loaded table<string, any> the state of the Lua files, which scheduler.lua adds: it outlives a reload
---@field events silly.core.events
---@field errno_numbers table<string, integer> the system's error numbers, by their names without the E
---@field signals table<string, integer> the system's signals: numbers by name
---@field tcp silly.core.tcp
---@field discovery? silly.core.discovery where the library was built with etcd
---@field zproto zproto
local core = {}

--- The kinds of what `next` hands over, and what follows the kind.
---@class silly.core.events
---@field AWAKE integer slot: a sleep is over
---@field ALARM integer slot, session: a timer has fired
---@field ACCEPTED integer slot, id, fd, address: a connection has come in
---@field CONNECTED integer slot, fd, address: a handle has a connection
---@field CLOSED integer slot, errno: a peer has lost its connection
---@field REQUEST integer slot, fd, session, command, trace id, data
---@field REPLY integer slot, data: the answer to a call
---@field DONE integer slot, true: a request that brings no data has ended
---@field FAILED integer slot, nil, message: a request has failed
---@field LOG integer level, text: a line for the log
---@field LOOKED_UP integer slot: a lookup has ended, see `answer`
---@field DISCOVERED integer slot: a registration or a watched service has something to tell, see `discovery.told`
---@field STREAM_ACCEPTED integer id of the listener, id of the stream
---@field STREAM_READY integer slot: a read has ended, see `tcp.conclude`
---@field STREAM_DIALED integer slot: an attempt to connect has ended, see `tcp.connected`
---@field SIGNAL integer number: a signal has come
---@field READY integer nothing: tasks are ready, and run first
---@field LOOK integer thread, ok, what it yielded or failed with: see to a task

-- Tasks and turns -------------------------------------------------------------------------------

--- Makes the functions that hand events over and go on with tasks, all on the tables of scheduler.lua.
---@param waits table<integer, table> who waits for the events of each kind: threads by slot; for requests
---  what src/lua/resume.rs says
---@param states table<thread, string> what each task is doing
---@param books table what scheduler.lua says
---@param pool (thread|false)[] finished coroutines, as long as `pool_limit` from the start
---@param traces table<thread, any> trace ids of the tasks that have one
---@param output file*? what scripts print to; it is flushed before a turn waits
---@return fun(onward: boolean): integer?, any next the next event's kind and parts; nil when there is none
---@return fun(thread: thread, ...: any): boolean?, any resume nothing when Lua need not see to the task
---@return fun(fn: function): thread, boolean obtain a coroutine for a function, and whether it is new
---@return fun(thread: thread) retire a task has returned, and whoever wanted to know has been told
function core.bind(waits, states, books, pool, traces, output) end

--- One turn of the loop.
---@param wait number? how long to wait for something to happen; nil: as long as it takes
---@return string? problem why the loop cannot run here
function core.turn(wait) end

--- Whether something can still happen without anybody doing anything.
---@return boolean alive
function core.alive() end

--- Closes everything, and writes what is queued within the limit.
---@param limit number
---@return true? ok
---@return string? message
function core.shutdown(limit) end

-- A host's own loop -----------------------------------------------------------------------------

--- A descriptor to poll.
---@return integer? fd
---@return string? message
function core.fd() end

--- Until the next turn has something to do, rounded up; nil when nothing is scheduled.
---@return integer? milliseconds
function core.timeout() end

--- A turn is over and its events are taken.
---@param ready boolean whether there are tasks to run
function core.settle(ready) end

--- There are tasks to run again.
function core.ring() end

-- Time ------------------------------------------------------------------------------------------

--- The time of day, since 1970.
---@return integer milliseconds
function core.now() end

--- Since the start, never running back.
---@return integer milliseconds
function core.monotonic() end

--- The same, finer.
---@return integer microseconds
function core.microseconds() end

--- Sets a timer that ends with AWAKE.
---@param ms number
---@return integer slot
function core.sleep(ms) end

--- Sets a timer that ends with ALARM.
---@param ms number
---@return integer slot
---@return integer session
function core.after(ms) end

--- Takes back a timer of `after`.
---@param session number
---@return integer? slot nil when there is no such timer
function core.cancel(session) end

--- Takes back a timer of `sleep`.
---@param slot integer
function core.cancel_sleep(slot) end

-- The cluster -----------------------------------------------------------------------------------

--- Sets the bounds, for all connections.
---@param bounds table<string, integer> keepalive (without: never), highwater, maxcalls, maxanswers,
---  maxrequests, hardlimit, softlimit, maxconnections, maxperhost, maxaccepts, maxhandshakes, handshake, as
---  serve takes them
function core.limit(bounds) end

--- Listens.
---@param address string
---@param backlog integer
---@param mode integer? the rights of a Unix socket's file; 600 in octal digits by default
---@param wire integer the generation
---@param tls userdata? credentials
---@return integer? id
---@return string bound the address; without an id why not
---@return boolean malformed whether the address itself is
function core.listen(address, backlog, mode, wire, tls) end

--- A handle for an address, without dialling.
---@param address string
---@param wire integer the generation
---@param tls userdata? credentials
---@return integer? id
---@return integer? slot
---@return string? problem what is malformed in it
function core.open(address, wire, tls) end

--- Credentials of the files that an option `tls` names.
---@param given {cert: string?, key: string?, ca: string?, verify: boolean, server_name: string?}
---@return userdata? credentials
---@return string? problem which file, and what is wrong with it
function core.credentials(given) end

--- Whether a listener or a handle has credentials.
---@param credentials userdata
---@return boolean
function core.credentials_used(credentials) end

--- Reads the files of all credentials again; nothing changes when something is wrong with one that a listener
--- or a handle uses, or with the default.
---@param default userdata? credentials
---@return string? problem which file, and what is wrong with it
function core.reload_credentials(default) end

--- The names in the certificate of a handle's last connection.
---@param peer integer
---@return string[]? names nil where it has shown none that was verified
function core.names(peer) end

--- What is malformed in an address, if anything.
---@param address string
---@return string? problem
function core.malformed(address) end

--- Waits for a handle's dial.
---@param peer integer its id
---@param timeout number
---@return integer? slot to wait on; nil when there is no dial
function core.join(peer, timeout) end

--- Whether a dial is under way.
---@param peer integer the handle's id
---@return boolean dialing
function core.dialing(peer) end

--- Asks a peer. Nothing is returned when the task cannot wait here.
---@param peer integer its id
---@param cmd integer
---@param trace any the task's trace id, or 0
---@param data string
---@param timeout integer
---@param in_handler any whether the task handles a request, by its truth
---@param task thread
---@return integer|false|nil slot to wait on; false when the message is not what it must be
---@return string|integer|nil message which of the two is wrong, for false: 1 the command, 2 the data
function core.call(peer, cmd, trace, data, timeout, in_handler, task) end

--- Sends to a peer. Nothing is returned when the task cannot wait here.
---@param peer integer its id
---@param cmd integer
---@param trace any the task's trace id, or 0
---@param data string
---@param timeout integer
---@param in_handler any whether the task handles a request, by its truth
---@param task thread
---@return boolean|integer|nil sent true when it is on its way; else the slot to wait on; or false, as of call
---@return string|integer|nil message
function core.send(peer, cmd, trace, data, timeout, in_handler, task) end

--- Ends a request that came in.
---@param fd integer the connection
---@param session integer
---@param data any a string, or nil for no answer
---@return true? ok nil when the request is not over
---@return string? message why the answer cannot be sent; nil when the data is no string
function core.respond(fd, session, data) end

--- Nobody waits for that call, send or dial any more.
---@param slot integer
function core.withdraw(slot) end

--- Closes a peer.
---@param peer integer its id
---@return integer slot
function core.close_peer(peer) end

--- Closes a listener.
---@param listener integer its id
function core.close_listener(listener) end

--- Begins to leave in order.
---@param timeout number
---@param by_handler boolean whether a handler asks for it
---@return integer slot to wait on
---@return integer id for `end_drain`
function core.drain(timeout, by_handler) end

--- Requests are handled again.
---@param drain integer its id
function core.end_drain(drain) end

--- What `cluster.stats` says.
---@return table<string, integer> counts
function core.stats() end

-- Names -----------------------------------------------------------------------------------------

--- Begins a lookup.
---@param name string
---@param kind integer the record's type: 1, 28 or 33
---@param timeout number
---@return integer? slot to wait on
---@return string? message
function core.lookup(name, kind, timeout) end

--- What the lookup has found whose event was handed over last.
---@return (string|silly.net.dns.service)[]? records
---@return string? message
function core.answer() end

--- Nobody waits for that lookup any more.
---@param slot integer
function core.withdraw_lookup(slot) end

--- Sets the name servers; none: the system's.
---@param ... string
---@return true? ok
---@return string? message what is wrong with one of them
function core.name_servers(...) end

-- Discovery -------------------------------------------------------------------------------------

--- Nodes that find each other through etcd: there with the feature `etcd` only.
---@class silly.core.discovery
local discovery = {}
core.discovery = discovery

--- Keeps a way to etcd.
---@param endpoints string[]
---@param timeout number
---@param user string?
---@param password string?
---@return integer? line its id
---@return string? message what is wrong with an endpoint
function discovery.open(endpoints, timeout, user, password) end

--- Forgets a way to etcd.
---@param line integer its id
function discovery.close(line) end

--- Begins to register.
---@param line integer its id
---@param key string
---@param address string
---@param ttl integer seconds
---@return integer? slot to wait on
---@return integer? member its id
---@return string? message
function discovery.join(line, key, address, ttl) end

--- Begins to take a registration back.
---@param member integer its id
---@return boolean? begun whether its end is to be waited for, on the member's slot
---@return string? message
function discovery.leave(member) end

--- Begins to watch what is below a prefix.
---@param line integer its id
---@param prefix string
---@return integer? slot to wait on
---@return integer? view its id
---@return string? message
function discovery.watch(line, prefix) end

--- Ends a view, or a registration that is none yet.
---@param view integer its id
function discovery.unwatch(view) end

--- Nobody waits on that slot any more.
---@param slot integer
function discovery.withdraw(slot) end

--- The nodes that a view knows.
---@param view integer its id
---@return {name: string, addr: string}[] nodes
function discovery.nodes(view) end

--- What the event is about that was handed over last.
---@return string|false event "joined", "left" or "moved"; false for the end of a wait
---@return string|integer|nil name of the node; or what the wait has come to: the seconds granted, or any number
---@return string? message the node's address; or why the wait came to nothing
function discovery.told() end

-- Traces ----------------------------------------------------------------------------------------

--- Sets this process's node number, of which 16 bits count.
---@param number integer
function core.trace_node(number) end

--- A new trace id: an integer, or 16 hexadecimal digits where integers have no 64 bits.
---@return any id
function core.trace_spawn() end

--- An id as the next node is to see it.
---@param id any
---@return any id
function core.trace_propagate(id) end

--- An id as the log shows it: 16 hexadecimal digits.
---@param id any
---@return string text
function core.trace_text(id) end

-- The log and errors ----------------------------------------------------------------------------

--- Writes date, time and a line, which ends with a newline.
---@param line string
function core.log(line) end

--- Says where the process's lines go.
---@param output string "stderr", "stdout" or a file's path
---@return true? ok
---@return string? message
function core.log_output(output) end

--- Opens the output file anew.
---@return true? ok
---@return string? message
function core.log_reopen() end

--- How many lines the process has lost.
---@return integer lines
function core.log_dropped() end

--- The last try for lines that are kept.
---@param ms integer
function core.log_drain(ms) end

--- The system's words for an error number.
---@param number integer
---@return string text
function core.errno_text(number) end

-- Signals ---------------------------------------------------------------------------------------

--- Watches a signal.
---@param number integer
---@param last boolean whether it ends the process
---@return true? ok
---@return string? message
---@return boolean uncatchable whether no process can watch it
function core.watch(number, last) end

--- Lets the signal do again what it did before.
---@param number integer
function core.unwatch(number) end

--- Our own loop runs, so SIGINT and SIGTERM are ours; or it has ended.
---@param on boolean
function core.interruptible(on) end

-- Plain TCP -------------------------------------------------------------------------------------

--- Streams of bytes.
---@class silly.core.tcp
local tcp = {}
core.tcp = tcp

--- Listens.
---@param address string
---@param backlog integer
---@param mode integer? the rights of a Unix socket's file; 600 in octal digits by default
---@return integer? id
---@return string bound the address; without an id why not
---@return boolean malformed whether the form of the address is wrong
function tcp.listen(address, backlog, mode) end

--- Closes a listener.
---@param listener integer its id
function tcp.close_listener(listener) end

--- Begins to connect.
---@param address string
---@param bind string? the local address
---@param timeout number
---@return integer? slot to wait on
---@return integer? attempt its id
---@return string? message
function tcp.connect(address, bind, timeout) end

--- What an attempt has come to.
---@param attempt integer its id
---@return integer? stream its id
---@return string? message
function tcp.connected(attempt) end

--- Nobody waits for that attempt any more.
---@param slot integer
function tcp.abandon(slot) end

--- Reads so many bytes, or through a delimiter.
---@param stream integer its id
---@param want integer|string
---@param timeout integer? nil: as long as it takes
---@return string? data
---@return string? message
---@return integer? slot to wait on, see `conclude`
function tcp.read(stream, want, timeout) end

--- What a read that had to wait has come to.
---@param stream integer its id
---@return string? data
---@return string? message
function tcp.conclude(stream) end

--- Nobody waits on that stream any more.
---@param slot integer
function tcp.withdraw(slot) end

--- Queues bytes.
---@param stream integer? its id; nil once it is closed
---@param data string|string[]
---@return boolean? ok nil when an element of the list is no string, and nothing is written
---@return string|integer|nil message why not; or the element's place
function tcp.write(stream, data) end

--- Closes a stream: what was written is still sent.
---@param stream integer its id
function tcp.close(stream) end

--- Whether it can be written to and more may arrive.
---@param stream integer its id
---@return boolean open
function tcp.open(stream) end

--- Whom it leads to.
---@param stream integer its id
---@return string? remote the other end's address
---@return integer slot
function tcp.describe(stream) end

--- How many bytes have arrived and are not read.
---@param stream integer its id
---@return integer bytes
function tcp.unread(stream) end

--- How many bytes are queued that the system has not taken.
---@param stream integer its id
---@return integer bytes
function tcp.unsent(stream) end

--- Sets how many unread bytes are enough.
---@param stream integer its id
---@param bytes number? nil: 1 MiB
function tcp.limit(stream, bytes) end

return core
