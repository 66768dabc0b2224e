--- Listeners and connects of silly.net.tcp.

local silly = require "silly"
local task = require "silly.task"
local tcp = require "silly.net.tcp"
local time = require "silly.time"
local log = require "spec.support.log"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local streams = require "spec.support.streams"

--- All results of a call, with their number.
local function all(...)
	return { n = select("#", ...), ... }
end

local function nothing() end

--- What a call raises, with the position that it blames.
local function problem_of(fn, ...)
	local ok, problem = pcall(fn, ...)
	assert.is_false(ok)
	return problem
end

describe("tcp.listen", function()
	before_each(streams.before)
	after_each(streams.after)

	it("needs no task, and tells the address really bound", function()
		local results = all(tcp.listen({ addr = "127.0.0.1:0", accept = nothing }))
		assert.same({ 2, nil }, { results.n, results[2] })
		streams.keep(results[1])
		assert.matches("^127%.0%.0%.1:[1-9]%d*$", results[1].addr)
		assert.matches("^0%.0%.0%.0:[1-9]%d*$", streams.listen(":0").addr)
		assert.matches("^%[::1%]:[1-9]%d*$", streams.listen("[::1]:0").addr)
	end)

	it("raises without an address or an accept callback", function()
		assert.matches("tcp.listen missing addr$", problem_of(tcp.listen, { accept = nothing }))
		assert.matches("tcp.listen missing addr$", problem_of(tcp.listen, "127.0.0.1:0"))
		assert.matches("tcp.listen missing addr$", problem_of(tcp.listen))
		assert.matches("tcp.listen missing accept$", problem_of(tcp.listen, { addr = "127.0.0.1:0" }))
	end)

	it("raises for options that it does not know or that are of no use", function()
		local function refuses(changes, problem)
			local conf = { addr = "127.0.0.1:0", accept = nothing }
			for option, value in pairs(changes) do
				conf[option] = value
			end
			local raised = problem_of(function()
				tcp.listen(conf)
			end)
			assert.matches("^spec/tcp_connect_spec.lua:%d+: tcp.listen: " .. problem, raised)
		end
		refuses({ backlogs = 5 }, "unknown option 'backlogs' %(did you mean 'backlog'%?%)")
		refuses({ addr = 5 }, "option 'addr' must be a string, got number 5")
		refuses({ accept = "f" }, "option 'accept' must be a function, got string \"f\"")
		refuses({ backlog = 0 }, "option 'backlog' must be between 1 and %d+, got number 0")
		refuses({ addr = "127.0.0.1" }, "bad address \"127.0.0.1\": the port is missing")
		refuses({ addr = "::1:0" }, "bad address \"::1:0\": it has several colons")
	end)

	it("tells what the system refuses, in its own words", function()
		local listener = streams.listen()
		local conf = { addr = listener.addr, accept = nothing }
		assert.same({ n = 2, nil, "Address already in use" }, all(tcp.listen(conf)))
		listener:close()
		streams.keep(assert(tcp.listen(conf)))
		conf.addr = "192.0.2.1:0"
		assert.same({ nil, "Cannot assign requested address" }, { tcp.listen(conf) })
	end)

	it("takes no names, nor literals that are none", function()
		for _, addr in ipairs({ "localhost:0", "1.2.3:0", "[::g]:0", "*:0" }) do
			assert.same({ nil, "getaddrinfo failed" }, { tcp.listen({ addr = addr, accept = nothing }) })
		end
	end)

	it("hands each connection to accept, alone, in a task", async(function()
		local got
		local listener = streams.keep(assert(tcp.listen({
			addr = "[::1]:0",
			backlog = 5,
			accept = function(...)
				local this = task.running()
				time.sleep(1)
				got = { arguments = all(...), is_task = task.status(this) == "RUN" }
			end,
		})))
		local client = raw.connect(listener.addr)
		node.eventually(function()
			return got
		end, "the accept")
		assert.equal(1, got.arguments.n)
		assert.equal(client:name(), got.arguments[1]:remoteaddr())
		assert.is_true(got.is_task)
	end))

	it("closes what an accept that raises was given, and logs it", async(function()
		local guest
		local listener = streams.keep(assert(tcp.listen({
			addr = "127.0.0.1:0",
			accept = function(conn)
				guest = conn
				conn:write("sorry")
				time.sleep(1)
				error("not welcome")
			end,
		})))
		local client = raw.connect(listener.addr)
		assert.is_true(client:has_ended())
		assert.equal("sorry", client.arrived)
		assert.is_nil(guest:isalive())
		assert.equal(1, log.count("E"))
		assert.matches("%[tcp%] accept of " .. client:name():gsub("%p", "%%%0") .. " failed: "
			.. "spec/tcp_connect_spec.lua:%d+: not welcome", log.text())
	end))

	it("leaves open what an accept that returns was given", async(function()
		local listener, arrivals = streams.listen()
		local client = raw.connect(listener.addr)
		local conn = arrivals:pop()
		collectgarbage()
		assert.is_true(conn:isalive())
		client:send("still")
		assert.equal("still", conn:read(5))
	end))

	it("goes on though nobody keeps the listener", async(function()
		local function listen()
			local listener, arrivals
			listener = assert(tcp.listen({
				addr = "127.0.0.1:0",
				accept = function(conn)
					arrivals = conn
					listener:close()
				end,
			}))
			return listener.addr, function()
				return arrivals
			end
		end
		local addr, arrived = listen()
		for _ = 1, 3 do
			collectgarbage()
		end
		local client = raw.connect(addr)
		node.eventually(arrived)
		streams.keep(arrived())
		client:send("x")
		assert.equal("x", arrived():read(1))
	end))

	it("takes 400 connections at once", async(function()
		local listener = streams.keep(assert(tcp.listen({
			addr = "127.0.0.1:0",
			backlog = 1024,
			accept = function(conn)
				conn:write("hello " .. conn:read("\n"))
				conn:close()
			end,
		})))
		local results = node.crowd(400, function(number)
			local conn = streams.keep(assert(tcp.connect(listener.addr)))
			conn:write(number .. "\n")
			return conn:read("\n"), conn:read(1)
		end)
		for number = 1, 400 do
			assert.same({ "hello " .. number .. "\n", "", "end of file" }, results[number])
		end
	end))
end)

describe("listener:close", function()
	before_each(streams.before)
	after_each(streams.after)

	it("is true the first time", function()
		local listener = streams.listen()
		assert.same({ n = 2, true, nil }, all(listener:close()))
		assert.same({ n = 2, false, "closed" }, all(listener:close()))
		assert.is_nil(listener.fd)
		assert.error_matches(function()
			listener.close({})
		end, "listener:close: the first argument must be a listener from tcp.listen, got table")
	end)

	it("refuses new connections and leaves those that are there", async(function()
		local listener, arrivals = streams.listen()
		local client = raw.connect(listener.addr)
		local conn = arrivals:pop()
		listener:close()
		assert.same({ nil, "Connection refused" }, { tcp.connect(listener.addr) })
		client:send("still")
		assert.equal("still", conn:read(5))
	end))

	it("closes what was taken in but not handed over", async(function()
		local listener, accepted
		listener = streams.keep(assert(tcp.listen({
			addr = "127.0.0.1:0",
			accept = function(conn)
				accepted = (accepted or 0) + 1
				streams.keep(conn)
				listener:close() -- the other one has come in the same turn
			end,
		})))
		local first, second = raw.connect(listener.addr), raw.connect(listener.addr)
		assert.is_true(second:has_ended())
		assert.is_nil(first.ended)
		assert.equal(1, accepted)
	end))
end)

describe("tcp.connect", function()
	before_each(streams.before)
	after_each(streams.after)

	it("gives a connection and nothing else", async(function()
		local server = raw.listen()
		local results = all(tcp.connect(server.addr))
		streams.keep(results[1])
		assert.same({ 2, nil }, { results.n, results[2] })
		assert.equal(server.addr, results[1]:remoteaddr())
		assert.is_number(results[1].fd)
	end))

	it("tells what the system says, in its own words", async(function()
		assert.same({ n = 2, nil, "Connection refused" }, all(tcp.connect(raw.dead_address())))
	end))

	it("gives up when its time is up", async(function()
		local server = raw.silent_server()
		local took, conn, why = node.timed(tcp.connect, server.addr, { timeout = 100 })
		assert.same({ nil, "Connection timed out" }, { conn, why })
		assert.is_true(took >= 100 and took < 3000)
	end))

	it("takes literal addresses only", async(function()
		for _, addr in ipairs({ "localhost:80", "1.2.3:80", "[::g]:80" }) do
			assert.same({ n = 2, nil, "getaddrinfo failed" }, all(tcp.connect(addr)))
		end
		for _, addr in ipairs({ "", "127.0.0.1", "127.0.0.1:x", "::1:80", ":80" }) do
			assert.same({ n = 2, nil, "invalid address:" .. addr }, all(tcp.connect(addr)))
		end
	end))

	it("connects from the address that it is given", async(function()
		local server = raw.listen()
		local free = raw.dead_address()
		local conn = streams.keep(assert(tcp.connect(server.addr, { bind = free })))
		local peer = server:accept()
		local host, port = peer.sock:getpeername()
		assert.equal(free, host .. ":" .. port)
		streams.keep(assert(tcp.connect(server.addr, { bind = "127.0.0.2:0" })))
		assert.equal("127.0.0.2", (server:accept().sock:getpeername()))
		conn:close()
		local taken = streams.listen()
		assert.same({ nil, "Address already in use" }, { tcp.connect(server.addr, { bind = taken.addr }) })
		for _, bind in ipairs({ "127.0.0.1", "localhost:0", "[::1]:0", "" }) do
			assert.same({ nil, "invalid bind address:" .. bind }, { tcp.connect(server.addr, { bind = bind }) })
		end
	end))

	it("raises for mistakes in its use", async(function()
		assert.matches("tcp.connect missing addr$", problem_of(tcp.connect))
		local function refuses(problem, ...)
			local arguments = { ... }
			local raised = problem_of(function()
				tcp.connect(arguments[1], arguments[2])
			end)
			assert.matches("^spec/tcp_connect_spec.lua:%d+: tcp.connect: " .. problem, raised)
		end
		refuses("the address must be a string, got number 5", 5)
		refuses("the options must be a table, got string \"x\"", "127.0.0.1:1", "x")
		refuses("unknown option 'binds' %(did you mean 'bind'%?%)", "127.0.0.1:1", { binds = "x" })
		refuses("option 'bind' must be a string, got number 5", "127.0.0.1:1", { bind = 5 })
		refuses("option 'timeout' must be between 1 and %d+, got number 0", "127.0.0.1:1", { timeout = 0 })
	end))

	it("belongs into a task", function()
		assert.error_matches(function()
			tcp.connect("127.0.0.1:1")
		end, "tcp.connect must run in a task")
	end)

	it("of a task that is cancelled is given up", async(function()
		local silent, server = raw.silent_server(), raw.listen()
		local function connect(addr)
			tcp.connect(addr)
			error("was cancelled")
		end
		local tasks = { task.fork(connect, silent.addr), task.fork(connect, server.addr) }
		local waits
		task.fork(function() -- before anything can have come of them
			waits = task.inspect()[tasks[1]].waits
			assert(task.cancel(tasks[1]) and task.cancel(tasks[2]))
		end)
		-- The system may have connected it, or not even begun.
		local peer = server:accept(50)
		assert.is_true(peer == nil or peer:has_ended())
		assert.equal("silly.net.tcp", waits)
		assert.equal(0, log.count("E"))
	end))
end)

describe("the loop", function()
	before_each(streams.before)
	after_each(streams.after)

	it("is alive while a listener or a connection is open", function()
		assert.is_false(silly.step(0))
		local listener = streams.listen()
		assert.is_true(silly.step(0))
		listener:close()
		assert.is_false(silly.step(0))
		local conn, peer
		async(function()
			conn, peer = streams.with_raw()
		end)()
		assert.is_true(silly.step(0))
		-- One that has ended on both sides brings nothing more, closed or not.
		peer:close()
		local deadline = os.time() + 5
		while silly.step(10) and os.time() < deadline do end
		assert.is_false(silly.step(0))
		assert.is_false(conn:isalive())
	end)
end)
