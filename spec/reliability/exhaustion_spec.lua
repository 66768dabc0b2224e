--- No descriptor left: what cannot be done then says so, what can be done goes on, and as soon as there
--- is one again all is as before.

local cluster = require "silly.net.cluster"
local time = require "silly.time"
local names = require "spec.support.dns"
local meter = require "spec.support.meter"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local scarcity = require "spec.support.scarcity"
local shell = require "spec.support.shell"
local size = require "spec.support.size"

teardown(shell.clean)

local NONE = "Too many open files"

describe("a server that has reached its limit of open files", function()
	--- More than its backlog can give it at once, many times over.
	local CROWD = size.of(1000, 3000)
	local server

	before_each(function()
		node.before()
		server = scarcity.start [[say(assert(cluster.listen("127.0.0.1:0", 4096)).addr)]]
		server.addr = server.read()
	end)
	local function stop()
		local running = server
		server = nil
		running.kill("KILL")
		return running.wait()
	end
	after_each(function()
		if server then
			stop()
		end
		node.after()
	end)

	--- Connects more clients than it can take in.
	local function besiege()
		local crowd = {}
		for index = 1, CROWD do
			crowd[index] = raw.connect(server.addr)
		end
		return crowd
	end

	it("goes on serving its peers without spinning", async(function()
		local peer = node.connect(server.addr)
		assert.equal("r:before", (cluster.call(peer, 1, "before")))
		besiege()
		assert.equal("r:within", (cluster.call(peer, 1, "within")))
		local before = meter.busy(server.pid)
		time.sleep(1000)
		local used = (meter.busy(server.pid) - before) / 1000
		size.note("processor time of a listener without descriptors, per second", "%.1f ms", used)
		assert.is_true(used < 50, used)
		assert.equal("r:after", (cluster.call(peer, 1, "after")))
	end))

	it("takes new clients in within a second of the others' end, and logs that once", async(function()
		local peer = node.connect(server.addr)
		assert.equal("r:before", (cluster.call(peer, 1, "before")))
		for _, client in ipairs(besiege()) do
			client:close()
		end
		-- Behind all those that are gone.
		local took, answer = node.timed(cluster.call, node.connect(server.addr, { shared = false }), 1, "new")
		size.note("a new client is served behind a backlog of dead ones after", "%d ms", took)
		assert.equal("r:new", answer)
		assert.is_true(took < 1000, took)
		assert.equal("r:after", (cluster.call(peer, 1, "after")))
		assert.same({ "E [silly] accept on " .. server.addr .. ": " .. NONE }, scarcity.lines(stop().err))
	end))
end)

describe("without a descriptor", function()
	after_each(names.close)

	it("the first use of the network says so, and a later one succeeds", function()
		local said, logged = scarcity.run [[
			starve()
			say(cluster.listen("127.0.0.1:0"))
			say(cluster.call(cluster.connect("127.0.0.1:1"), 1, "x"))
			say(tcp.connect("127.0.0.1:1"))
			say(dns.lookup("localhost"))
			say(silly.fd())
			say(signal("SIGUSR1", print))
			relieve()
			say((cluster.call(cluster.connect(assert(cluster.listen("127.0.0.1:0")).addr), 1, "x")))
		]]
		local refusal = "no event loop to be had: " .. NONE
		assert.equal(("nil\t" .. refusal .. "\n"):rep(5) .. "nil\t" .. NONE .. "\nr:x\n", said)
		assert.same({ "E [cluster] " .. refusal }, logged)
	end)

	it("listening and dialling say so, with the address", function()
		local said, logged = scarcity.run [[
			local listener = assert(cluster.listen("127.0.0.1:0"))
			local port = listener.addr:match("%d+$")
			local function say_of_port(...) say((select(2, ...):gsub(port, "PORT"))) end
			starve()
			say_of_port(cluster.listen("127.0.0.1:0"))
			say_of_port(tcp.listen { addr = "127.0.0.1:0", accept = print })
			local peer = cluster.connect(listener.addr)
			say_of_port(cluster.call(peer, 1, "x"))
			say_of_port(cluster.send(peer, 1, "x"))
			say_of_port(tcp.connect(listener.addr))
			say_of_port(tcp.connect(listener.addr, { bind = "127.0.0.1:0" }))
			relieve()
			while not cluster.call(peer, 1, "x") do time.sleep(10) end -- the pause after a failed dial
			say((cluster.call(peer, 1, "x")))
			tcp.connect(listener.addr):close()
		]]
		assert.equal(([[
listen 127.0.0.1:0: NONE
NONE
connect 127.0.0.1:PORT: NONE
connect 127.0.0.1:PORT: NONE
NONE
NONE
r:x
]]):gsub("NONE", NONE), said)
		assert.same({ "E [cluster] listen 127.0.0.1:0: " .. NONE }, logged)
	end)

	it("a name cannot be looked up, and no file that was not read is remembered as empty", async(function()
		local server = names.start('{ ["db.test"] = { A = { "10.1.2.3" } } }')
		local said, logged = scarcity.run(([[
			local listener = assert(cluster.listen("127.0.0.1:0"))
			local by_name = "localhost:" .. listener.addr:match("%%d+$")
			starve()
			say(dns.lookup("localhost"))
			say(cluster.call(cluster.connect("localhost:1"), 1, "x"))
			dns.server("%s")
			say(dns.lookup("localhost"))
			relieve()
			say(dns.lookup("localhost")) -- the hosts file
			starve()
			say(dns.lookup("db.test"))
			relieve()
			say(dns.lookup("db.test"))
			starve()
			say(dns.lookup("db.test")) -- kept
			relieve()
			say((cluster.call(cluster.connect(by_name), 1, "x")))
		]]):format(server.addr))
		assert.equal(([[
nil	NONE
nil	lookup localhost: NONE
nil	NONE
127.0.0.1
nil	NONE
10.1.2.3
10.1.2.3
r:x
]]):gsub("NONE", NONE), said)
		assert.same({}, logged)
	end))

	it("the log keeps its file", function()
		local path = shell.dir .. "/log"
		local said, logged = scarcity.run(([[
			assert(logger.setoutput("%s"))
			starve()
			say(logger.reopen())
			say(logger.setoutput("/dev/null"))
			logger.info("still here")
			relieve()
			say(logger.reopen())
			logger.info("and again")
			say(logger.dropped())
		]]):format(path))
		assert.equal(("nil\treopen the log: NONE\nnil\topen /dev/null: NONE\ntrue\n0\n"):gsub("NONE", NONE), said)
		assert.same({}, logged)
		assert.same({ "I script.lua:N still here", "I script.lua:N and again" },
			scarcity.lines((shell.read("log"):gsub("lua:%d+", "lua:N"))))
	end)
end)
