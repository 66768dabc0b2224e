--- Nodes that find each other: who is there under the name of a service, as etcd knows it.
--
-- A node joins a service with its address, for as long as it lives; others watch the service and are told who
-- comes, goes and moves. The calls between them are `silly.net.cluster`'s, as ever. The library must be built
-- for it: `make build FEATURES=etcd`.
--
-- The messages that are returned with nil:
--
-- - "timeout": etcd has said nothing in time.
-- - "closed": the registry was closed.
-- - "etcd 127.0.0.1:2379: Connection refused", "etcd ...: etcdserver: permission denied": what the system,
--   the resolver or etcd said, with the endpoint that was tried last.

local core = require "silly.internal.core"
local scheduler = require "silly.internal.scheduler"
local loop = require "silly.internal.loop"
local check = require "silly.internal.check"
local open = require "silly.internal.open"
local waitgroup = require "silly.sync.waitgroup"
require "silly.internal.log" -- which writes what is told of etcd
require "silly.internal.start"

if core.loaded.registry then
	return core.loaded.registry --[[@as silly.net.registry]]
end

---@class silly.net.registry
local registry = {}
core.loaded.registry = registry

--- What `registry.open` takes.
---@class silly.net.registry.conf
--- Where etcd is, at least one: "ip:port", "[ipv6]:port" or "name:port". One is used at a time; where it
--- fails the next one is.
---@field endpoints string[]
--- What the keys begin with; "/silly/" by default. Those who are to find each other have the same one.
---@field prefix? string
--- Seconds after which a node that has died or hangs is gone, 1 to 86,400; 2 by default. Too few and a node is
--- gone whenever a handler of its own keeps the loop busy for so long; too many keep the dead for as long. etcd
--- grants no less than one and a half times its election timeout, rounded up: see the member's `ttl`.
---@field ttl? integer
--- Milliseconds that an operation may take, 1 to 86,400,000; 5000 by default. Too few give up while etcd elects
--- a leader, which takes a second or two; too many keep tasks waiting when none answers.
---@field timeout? integer
--- Whom etcd is to know, where it asks; nobody by default.
---@field user? string
--- That user's password; nothing by default.
---@field password? string

--- What `registry.open` returns: a way to etcd, over one connection.
---@class silly.net.registry.client
---@field package line integer
---@field package prefix string
---@field package seconds integer
---@field package members table<silly.net.registry.member, true>
---@field package views table<silly.net.registry.view, true>
---@field package closed boolean
local client = {}
local client_mt = { __index = client, __name = "silly.net.registry.client" }

--- This node in a service.
---@class silly.net.registry.member
---@field service string the service's name
---@field name string what tells this node apart
---@field addr string where others connect to it
---@field ttl integer the seconds that etcd has granted, which may be more than were asked for
---@field package id integer
---@field package slot integer
---@field package owner silly.net.registry.client
local member = {}
local member_mt = { __index = member, __name = "silly.net.registry.member" }

--- A node of a service.
---@class silly.net.registry.node
---@field name string what tells it apart
---@field addr string where to connect; of one that has left, where it was

--- Who is there in a service.
---@class silly.net.registry.view
---@field service string the service's name
---@field package id integer
---@field package slot integer
---@field package owner silly.net.registry.client
---@field package callback fun(event: string, node: silly.net.registry.node, view: silly.net.registry.view)?
local view = {}
local view_mt = { __index = view, __name = "silly.net.registry.view" }

local OPTIONS = { "endpoints", "prefix", "ttl", "timeout", "user", "password" }
local DEFAULT_PREFIX, DEFAULT_TTL, DEFAULT_TIMEOUT = "/silly/", 2, 5000
--- A day.
local LONGEST = 24 * 3600

--- What names may be: keys that others write are held to the same (src/discovery/nodes.rs).
local A_NAME = "a string of 1 to 255 bytes without control characters"
local A_SERVICE = A_NAME .. " and without a slash"
local A_CLIENT = "a registry, from registry.open"

local native = core.discovery

--- Why there is nothing of it.
local ABSENT = "this library was built without etcd: make build FEATURES=etcd"

--- Tasks that wait for the end of something, by native slot.
---@type table<integer, thread>
local waiting = {}

--- Views by native slot.
---@type table<integer, silly.net.registry.view>
local watched = {}

--- Registrations that are not being left.
---@type table<silly.net.registry.member, true>
local joined = {}

local function is_name(value)
	return type(value) == "string" and #value > 0 and #value <= 255 and not value:find("%c")
end

local function is_service(value)
	return is_name(value) and not value:find("/", 1, true)
end

local slots = scheduler.track(waiting, "silly.net.registry", function(slot)
	native.withdraw(slot)
	watched[slot] = nil
end)

--- Waits for the end of what was begun on a slot: a number; or nil and why not.
---@async
local function await(slot, task)
	waiting[slot], slots[task] = task, slot
	return scheduler.suspend()
end

loop.on(core.events.DISCOVERED, function(slot)
	local event, first, second = native.told()
	if not event then
		return loop.wake(waiting, slot, first, second)
	end
	local self = watched[slot]
	local callback = self and self.callback
	if callback then
		scheduler.start(function()
			callback(event, { name = first, addr = second }, self)
		end)
	end
end, function(slot)
	return loop.wake(waiting, slot, nil, scheduler.NO_MEMORY)
end)

--- A way to etcd. Nothing is sent before the first `join` or `watch`.
---@param conf silly.net.registry.conf where etcd is, and how
---@return silly.net.registry.client? registry
---@return string? err that the library was built without it
function registry.open(conf)
	check.options("registry.open", "the first argument", conf, OPTIONS)
	check.type("registry.open", "endpoints", conf.endpoints, "table")
	check.that(conf.endpoints[1] ~= nil, "registry.open", "endpoints", "a list with at least one address", conf.endpoints)
	for _, endpoint in ipairs(conf.endpoints) do
		check.type("registry.open", "each endpoint", endpoint, "string")
	end
	local prefix, ttl, timeout = conf.prefix, conf.ttl, conf.timeout
	if prefix ~= nil then
		check.type("registry.open", "prefix", prefix, "string")
	end
	if ttl ~= nil then
		ttl = check.integer("registry.open", "ttl", ttl, 1, LONGEST)
	end
	if timeout ~= nil then
		timeout = check.integer("registry.open", "timeout", timeout, 1, LONGEST * 1000)
	end
	if conf.user ~= nil or conf.password ~= nil then
		check.type("registry.open", "user", conf.user, "string")
		check.type("registry.open", "password", conf.password, "string")
	end
	if not native then
		return nil, ABSENT
	end
	local line, problem = native.open(conf.endpoints, timeout or DEFAULT_TIMEOUT, conf.user, conf.password)
	if not line then
		error("registry.open: " .. problem, 2)
	end
	return setmetatable({
		line = line,
		prefix = prefix or DEFAULT_PREFIX,
		seconds = ttl or DEFAULT_TTL,
		members = {},
		views = {},
		closed = false,
	}, client_mt)
end

--- Registers this node and keeps it registered: when the lease was lost, because etcd was away or because this
--- process stood still, it is registered again as soon as that can be done, and a line in the log says so both
--- times. A name that is taken is taken over. As long as it is registered the loop does not end.
---@async
---@param service string its name, without a slash
---@param addr string where others can connect to this node
---@param name string? tells nodes of the service apart, and stays when the address changes; the address by default
---@return silly.net.registry.member? member
---@return string? err as of the module
function client:join(service, addr, name)
	check.that(getmetatable(self) == client_mt, "registry:join", "the first argument", A_CLIENT, self)
	check.that(is_service(service), "registry:join", "the service", A_SERVICE, service)
	check.type("registry:join", "the address", addr, "string")
	local problem = core.malformed(addr)
	if problem then
		error("registry:join: " .. problem, 2)
	end
	if name == nil then
		name = addr
	end
	check.that(is_name(name), "registry:join", "the name", A_NAME, name)
	local task = scheduler.task("registry:join")
	if self.closed then
		return nil, "closed"
	end
	local key = self.prefix .. service .. "/" .. name
	local slot, id, refusal = native.join(self.line, key, addr, self.seconds)
	if not slot then
		return nil, refusal
	end
	local ttl, why = await(slot, task)
	if not ttl then
		native.unwatch(id)
		return nil, why
	elseif self.closed then
		native.leave(id)
		return nil, "closed"
	end
	local new = setmetatable({
		service = service, name = name, addr = addr, ttl = ttl, id = id, slot = slot, owner = self,
	}, member_mt)
	joined[new], self.members[new] = true, true
	return new
end

--- Forgets a registration, so that nobody leaves it again.
---@return boolean was whether there was one
local function forget_member(self)
	local was = joined[self] or false
	joined[self], self.owner.members[self] = nil, nil
	return was
end

--- Takes the registration back: others hear of it at once. Nothing happens the second time.
---@async
---@return boolean? ok
---@return string? err etcd could not be told: it finds out when the lease has run out
function member:leave()
	check.that(getmetatable(self) == member_mt, "member:leave", "the first argument", "a member, from registry:join", self)
	local task = scheduler.task("member:leave")
	if not forget_member(self) then
		return true
	end
	local begun, refusal = native.leave(self.id)
	if not begun then
		return nil, refusal
	end
	local left, why = await(self.slot, task)
	return left and true, why
end

--- Watches who is there. The callback hears of every node: first of those that are there already, before this
--- returns, each time in a task of its own that begins in the order of the events. While etcd is away what was
--- known stays; afterwards the differences are told. Entries that are no nodes are passed over with a line in
--- the log. As long as it is watched the loop does not end.
---@async
---@param service string its name, without a slash
---@param callback (fun(event: "joined"|"left"|"moved", node: silly.net.registry.node, view: silly.net.registry.view))?
---  hears what changes; nobody by default
---@return silly.net.registry.view? view
---@return string? err as of the module
function client:watch(service, callback)
	check.that(getmetatable(self) == client_mt, "registry:watch", "the first argument", A_CLIENT, self)
	check.that(is_service(service), "registry:watch", "the service", A_SERVICE, service)
	if callback ~= nil then
		check.type("registry:watch", "the callback", callback, "function")
	end
	local task = scheduler.task("registry:watch")
	if self.closed then
		return nil, "closed"
	end
	local new = setmetatable({ service = service, callback = callback, owner = self }, view_mt)
	local slot, id, refusal = native.watch(self.line, self.prefix .. service .. "/")
	if not slot then
		return nil, refusal
	end
	new.slot, new.id = slot, id
	watched[slot] = new
	local listed, why = await(slot, task)
	if not listed or self.closed then
		new:close()
		return nil, why or "closed"
	end
	self.views[new] = true
	return new
end

--- Who is there, as far as was told: a new list in the order of the names. It is empty once the view is closed.
---@return silly.net.registry.node[] nodes
function view:nodes()
	check.that(getmetatable(self) == view_mt, "view:nodes", "the first argument", "a view, from registry:watch", self)
	return native.nodes(self.id)
end

--- Ends it: the callback is not called any more. Nothing happens the second time.
function view:close()
	check.that(getmetatable(self) == view_mt, "view:close", "the first argument", "a view, from registry:watch", self)
	if watched[self.slot] == self then
		watched[self.slot] = nil
		self.owner.views[self] = nil
		native.unwatch(self.id)
		-- Whoever waits for the first listing, if the callback has had enough before.
		local waiter = waiting[self.slot]
		if waiter then
			waiting[self.slot] = nil
			scheduler.ready(waiter)
		end
	end
end

--- Leaves every service, closes every view, and forgets the connection. Nothing happens the second time.
---@async
function client:close()
	check.that(getmetatable(self) == client_mt, "registry:close", "the first argument", A_CLIENT, self)
	scheduler.task("registry:close")
	self.closed = true
	for each in pairs(self.views) do
		each:close()
	end
	local leaving = waitgroup.new()
	for each in pairs(self.members) do
		leaving:fork(function()
			each:leave()
		end)
	end
	leaving:wait()
	native.close(self.line)
end

open.kind {
	name = "registration",
	list = function()
		local list = {}
		for self in pairs(joined) do
			list[#list + 1] = self
		end
		return list
	end,
	close = function(self)
		if forget_member(self) then
			native.leave(self.id)
		end
	end,
	tell = function()
		local lines = {}
		for self in pairs(joined) do
			lines[#lines + 1] = ("%s in %s"):format(self.name, self.service)
		end
		return lines
	end,
}

open.kind {
	name = "view",
	list = function()
		local list = {}
		for _, self in pairs(watched) do
			list[#list + 1] = self
		end
		return list
	end,
	close = view.close,
	tell = function()
		local lines = {}
		for _, self in pairs(watched) do
			lines[#lines + 1] = "of " .. self.service
		end
		return lines
	end,
}

return registry
