--- Nodes that find each other through etcd. Everything but the first test needs the library that
--- tools/specs-etcd builds, and runs with an etcd of its own.

local core = require "silly.core"
local registry = require "silly.net.registry"
local task = require "silly.task"
local time = require "silly.time"
local helper = require "spec.helper"
local etcd = require "spec.support.etcd"
local log = require "spec.support.log"
local node = require "spec.support.node"
local process = require "spec.support.process"
local raw = require "spec.support.raw"
local shell = require "spec.support.shell"

teardown(shell.clean)

if not core.discovery then
	describe("a library without etcd", function()
		it("says how to get one with it, once the options are right", function()
			local found, why = registry.open { endpoints = { "127.0.0.1:2379" } }
			assert.is_nil(found)
			assert.equal("this library was built without etcd: make build FEATURES=etcd", why)
			assert.error_matches(function()
				registry.open {}
			end, "registry.open: endpoints must be a table, got nil", nil, true)
		end)
	end)
	return
end

if not etcd.directory then
	pending("silly.net.registry: there is no etcd")
	return
end

--- A node in a process of its own: the source of one that joins, and says so.
local NODE = [[
	local registry, task = require "silly.net.registry", require "silly.task"
	task.fork(function()
		local reg = assert(registry.open { endpoints = { "%s" }, ttl = %d })
		assert(reg:join("game", "127.0.0.1:7001", "%s"))
		print "joined"
	end)
]]

local server
local opened = {}

local function open(options)
	options = options or {}
	options.endpoints = options.endpoints or { server.endpoint }
	local reg = assert(registry.open(options))
	opened[#opened + 1] = reg
	return reg
end

--- A view of the service "game" with what it was told: "joined a 127.0.0.1:1" and so on.
local function watch(reg)
	local told = {}
	local view = assert(reg:watch("game", function(event, who)
		told[#told + 1] = ("%s %s %s"):format(event, who.name, who.addr)
	end))
	return view, told
end

--- Waits until a list has so many elements.
local function await(list, count, limit)
	node.eventually(function()
		return #list >= count
	end, count .. " of what is there: " .. table.concat(list, ", "), limit)
end

local function names(view)
	local list = {}
	for index, who in ipairs(view:nodes()) do
		list[index] = who.name .. "=" .. who.addr
	end
	return table.concat(list, " ")
end

--- Closes what a test has opened, and ends its processes.
local function finish()
	for _, reg in ipairs(opened) do
		reg:close()
	end
	opened = {}
	process.kill_all()
end

--- A test with a fresh etcd, fast unless told otherwise.
local function with_etcd(body, options)
	return async(function()
		server = etcd.start(options or etcd.FAST)
		body()
		finish()
	end, 60)
end

describe("the registry", function()
	before_each(node.before)
	after_each(function()
		process.kill_all()
		etcd.close()
		node.after()
	end)

	it("registers, lists, and takes back", with_etcd(function()
		local reg = open()
		local view, told = watch(reg)
		assert.same({}, view:nodes())
		local member = assert(reg:join("game", "127.0.0.1:9000", "a"))
		assert.same({ "game", "a", "127.0.0.1:9000", 2 }, { member.service, member.name, member.addr, member.ttl })
		assert(reg:join("game", "unix:/run/b"))
		assert(reg:join("other", "127.0.0.1:1"))
		await(told, 2)
		assert.same({ { name = "a", addr = "127.0.0.1:9000" }, { name = "unix:/run/b", addr = "unix:/run/b" } },
			view:nodes())
		assert.is_true(server:has("/silly/game/a"))
		assert.is_true(member:leave())
		assert.is_true(member:leave())
		assert.is_false(server:has("/silly/game/a"))
		await(told, 3)
		assert.same({ "joined a 127.0.0.1:9000", "joined unix:/run/b unix:/run/b", "left a 127.0.0.1:9000" }, told)
		assert.equal("unix:/run/b=unix:/run/b", names(view))
		view:close()
		view:close()
		assert.same({}, view:nodes())
	end))

	it("tells each of several who is there already, and what changes", with_etcd(function()
		local one, other = open(), open()
		local member = assert(one:join("game", "127.0.0.1:1", "a"))
		local first, told = watch(one)
		assert.same({ "joined a 127.0.0.1:1" }, told)
		local second, also = watch(other)
		assert(other:join("game", "127.0.0.1:2", "a"))
		await(told, 2)
		await(also, 2)
		assert.same({ "joined a 127.0.0.1:1", "moved a 127.0.0.1:2" }, told)
		assert.same(told, also)
		-- What was taken over is not the first one's to take away.
		assert.is_true(member:leave())
		assert.is_true(server:has("/silly/game/a"))
		assert.equal("a=127.0.0.1:2", names(first))
		assert.equal("a=127.0.0.1:2", names(second))
	end))

	it("calls back in order, each time in a task of its own, and not after a close", with_etcd(function()
		local reg, seen = open(), {}
		assert(reg:watch("game", function(event, who, view)
			seen[#seen + 1] = event .. " " .. who.name
			if who.name == "c" then
				view:close()
				error("a callback's own fault")
			end
			task.wait() -- holds up nobody
		end))
		for _, name in ipairs { "a", "b", "c", "d" } do
			assert(reg:join("game", "127.0.0.1:1", name))
		end
		await(seen, 3)
		time.sleep(50)
		assert.same({ "joined a", "joined b", "joined c" }, seen)
		assert.truthy(log.text():find("a callback's own fault", 1, true))
	end))

	it("may be closed by the callback before the first listing is whole", with_etcd(function()
		local reg, calls = open(), 0
		for _, name in ipairs { "a", "b" } do
			assert(reg:join("game", "127.0.0.1:1", name))
		end
		local view, why = reg:watch("game", function(_, _, view)
			calls = calls + 1
			view:close()
		end)
		assert.same({ nil, "closed", 1 }, { view, why, calls })
		assert.equal("a=127.0.0.1:1 b=127.0.0.1:1", names(watch(reg)))
	end))

	it("closes all that it has", with_etcd(function()
		local reg = open()
		local view = watch(reg)
		assert(reg:join("game", "127.0.0.1:1", "a"))
		assert(reg:join("game", "127.0.0.1:2", "b"))
		reg:close()
		reg:close()
		assert.is_false(server:has("/silly/game/a"))
		assert.is_false(server:has("/silly/game/b"))
		assert.same({}, view:nodes())
		assert.same({ nil, "closed" }, { reg:join("game", "127.0.0.1:1") })
		assert.same({ nil, "closed" }, { reg:watch("game") })
	end))

	it("keeps a lease alive, and loses those who are killed within two seconds", with_etcd(function()
		local reg = open { ttl = 1 }
		local view, told = watch(reg)
		assert.equal(1, assert(reg:join("game", "127.0.0.1:1", "stays")).ttl)
		for round = 1, 3 do
			local seen = #told
			local child = process.start(NODE:format(server.endpoint, 1, "mortal"))
			child:output("joined")
			local began = time.monotonic()
			await(told, seen + 1)
			assert.is_true(time.monotonic() - began < 2000)
			time.sleep(round * 130) -- at any moment of the lease's life
			child:kill()
			began = time.monotonic()
			await(told, seen + 2)
			local took = time.monotonic() - began
			assert.equal("left mortal 127.0.0.1:7001", told[seen + 2])
			assert.is_true(took < 2000, took)
		end
		assert.equal("stays=127.0.0.1:1", names(view))
	end))

	it("with etcd as it comes grants two seconds", with_etcd(function()
		local reg = open { ttl = 1 }
		local _, told = watch(reg)
		local child = process.start(NODE:format(server.endpoint, 1, "mortal"))
		child:output("joined")
		await(told, 1)
		assert.equal(2, assert(reg:join("game", "127.0.0.1:1", "stays")).ttl)
		child:kill()
		local began = time.monotonic()
		await(told, 3)
		assert.is_true(time.monotonic() - began < 4000)
		assert.equal("left mortal 127.0.0.1:7001", told[3])
	end, ""))

	it("keeps what it knew while etcd is away, and tells only the differences afterwards", with_etcd(function()
		local reg = open { ttl = 1, timeout = 500 }
		local view, told = watch(reg)
		assert(reg:join("game", "127.0.0.1:1", "a"))
		server:put("/silly/game/b", "127.0.0.1:2")
		await(told, 2)
		server:kill()
		node.eventually(function()
			return log.text():find("may be gone from etcd", 1, true) and log.text():find("cannot be watched", 1, true)
		end, "the loss of etcd")
		time.sleep(1500)
		assert.equal("a=127.0.0.1:1 b=127.0.0.1:2", names(view))
		server:start()
		server:delete("/silly/game/b")
		server:put("/silly/game/c", "127.0.0.1:3")
		await(told, 4)
		node.eventually(function()
			return log.text():find("a is in etcd again", 1, true) and log.text():find("is watched again", 1, true)
		end, "the return of etcd")
		assert.same({ "joined a 127.0.0.1:1", "joined b 127.0.0.1:2" }, { told[1], told[2] })
		assert.equal("a=127.0.0.1:1 c=127.0.0.1:3", names(view))
		for _, line in ipairs { "may be gone from etcd", "is in etcd again", "cannot be watched", "is watched again" } do
			local _, count = log.text():gsub(line, "")
			assert.equal(1, count, line)
		end
		-- The one that was away long enough to be taken away comes back, and stays.
		time.sleep(1500)
		assert.is_true(server:has("/silly/game/a"))
	end))

	it("notices an etcd that hangs", with_etcd(function()
		local reg = open { ttl = 1, timeout = 300 }
		local member = assert(reg:join("game", "127.0.0.1:1", "a"))
		server:signal("STOP")
		node.eventually(function()
			return log.text():find("put there again: no answer", 1, true)
		end, "the silence")
		local took, left, why = node.timed(member.leave, member)
		assert.same({ nil, "timeout" }, { left, why })
		assert.is_true(took < 1300, took)
		took, left, why = node.timed(reg.watch, reg, "game")
		assert.same({ nil, "timeout" }, { left, why })
		assert.is_true(took < 1300, took)
		server:signal("CONT")
	end))

	it("brings back who stood still for longer than the lease lives", with_etcd(function()
		local reg = open()
		local _, told = watch(reg)
		local child = process.start(NODE:format(server.endpoint, 1, "sleeper"))
		await(told, 1)
		child:signal("STOP")
		await(told, 2)
		child:signal("CONT")
		await(told, 3)
		assert.equal("joined sleeper 127.0.0.1:7001", told[3])
		node.eventually(function()
			return child:errors():find("sleeper is in etcd again", 1, true)
		end, "the line in its log")
		assert.truthy(child:errors():find("put there again: the lease has run out", 1, true))
	end))

	it("takes back the lease of one that keeps the loop busy for too long", with_etcd(function()
		local reg = open { ttl = 1 }
		local view, told = watch(reg)
		assert(reg:join("game", "127.0.0.1:1", "busy"))
		await(told, 1)
		local until_then = time.monotonic() + 2500
		repeat until time.monotonic() > until_then
		node.eventually(function()
			return log.text():find("busy is in etcd again", 1, true)
		end, "the new lease")
		assert.is_true(server:has("/silly/game/busy"))
		node.eventually(function()
			return names(view) == "busy=127.0.0.1:1"
		end, "the node in the view")
	end))

	it("survives that etcd forgets what has been", with_etcd(function()
		local reg = open()
		local view, told = watch(reg)
		for index = 1, 20 do
			server:put("/silly/game/a", "127.0.0.1:" .. index)
		end
		server:compact()
		server:put("/silly/game/b", "127.0.0.1:2")
		await(told, 21)
		server:kill()
		server:start()
		server:delete("/silly/game/b")
		server:put("/silly/game/c", "127.0.0.1:3")
		server:compact()
		await(told, 23)
		assert.equal("a=127.0.0.1:20 c=127.0.0.1:3", names(view))
	end))

	it("passes over what is no node", with_etcd(function()
		local reg = open()
		server:put("/silly/game/before", "no address\n at all")
		local view, told = watch(reg)
		server:put("/silly/game/\255\254", "127.0.0.1:1")
		server:put("/silly/game/line\nbreak", "127.0.0.1:1")
		server:put("/silly/game/", "127.0.0.1:1")
		server:put("/silly/game/" .. ("x"):rep(256), "127.0.0.1:1")
		server:put("/silly/game/bytes", "\255\254:80")
		server:put("/silly/game/port", "127.0.0.1:0")
		server:put("/silly/game/long", ("x"):rep(500000))
		server:put("/silly/gamer", "127.0.0.1:1")
		server:put("/silly/", "127.0.0.1:1")
		server:put("/silly/game/good", "127.0.0.1:1")
		server:put("/silly/game/good", "nonsense")
		server:put("/silly/game/last", "127.0.0.1:2")
		await(told, 3)
		assert.same({ "joined good 127.0.0.1:1", "left good 127.0.0.1:1", "joined last 127.0.0.1:2" }, told)
		assert.equal("last=127.0.0.1:2", names(view))
		local _, lines = log.text():gsub("is passed over", "")
		assert.equal(9, lines)
		assert.truthy(log.text():find('"/silly/game/line\\nbreak" is passed over: bad name', 1, true))
	end))

	it("refuses a listing that is larger than four mebibytes, and takes none of it", with_etcd(function()
		local reg = open()
		for index = 1, 5 do
			server:put("/silly/game/" .. index, ("x"):rep(1000000))
		end
		local view, why = reg:watch("game")
		assert.is_nil(view)
		assert.truthy(why:find("message length too large", 1, true), why)
	end))

	it("says what is wrong with the way to etcd, in time", with_etcd(function()
		local dead = raw.dead_address()
		local reg = open { endpoints = { dead }, timeout = 1000 }
		local refused = "etcd " .. dead .. ": Connection refused"
		assert.same({ nil, refused }, { reg:join("game", "127.0.0.1:1") })
		assert.same({ nil, refused }, { reg:watch("game") })
		local silent = raw.silent_server()
		reg = open { endpoints = { silent.addr }, timeout = 300 }
		local took, found, why = node.timed(reg.join, reg, "game", "127.0.0.1:1")
		assert.same({ nil, "timeout" }, { found, why })
		assert.is_true(took >= 300 and took < 1300, took)
		reg = open { endpoints = { "nobody.invalid:2379" }, timeout = 2000 }
		found, why = reg:watch("game")
		assert.is_nil(found)
		assert.truthy(why == "timeout" or why:find("etcd nobody.invalid:2379: ", 1, true), why)
		-- One that is no etcd.
		local other = raw.listen()
		task.fork(function()
			local peer = other:accept()
			peer:send("HTTP/1.1 400 Bad Request\r\n\r\n")
		end)
		reg = open { endpoints = { other.addr }, timeout = 1000 }
		found, why = reg:watch("game")
		assert.is_nil(found)
		assert.is_string(why)
	end))

	it("tries the endpoints in turn", with_etcd(function()
		local reg = open { endpoints = { raw.dead_address(), raw.silent_server().addr, server.endpoint }, timeout = 900 }
		local view = watch(reg)
		assert(reg:join("game", "localhost:1", "a"))
		node.eventually(function()
			return names(view) == "a=localhost:1"
		end, "the node")
	end))

	it("asks with a name and a password where etcd wants one", with_etcd(function()
		for _, step in ipairs {
			{ "auth/user/add", '{"name":"root","password":"secret"}' }, { "auth/role/add", '{"name":"root"}' },
			{ "auth/user/grant", '{"user":"root","role":"root"}' }, { "auth/enable", "{}" },
		} do
			assert(server:request(step[1], step[2]), step[1])
		end
		local _, why = open():watch("game")
		assert.equal("etcd " .. server.endpoint .. ": etcdserver: user name is empty", why)
		_, why = open({ user = "root", password = "guess" }):join("game", "127.0.0.1:1")
		assert.equal("etcd " .. server.endpoint
			.. ": etcdserver: authentication failed, invalid user ID or password", why)
		local reg = open { user = "root", password = "secret" }
		local view = watch(reg)
		local member = assert(reg:join("game", "127.0.0.1:1", "a"))
		node.eventually(function()
			return #view:nodes() == 1
		end, "the node")
		assert.is_true(member:leave())
	end))

	it("goes on when a task that waits for it is cancelled", with_etcd(function()
		local silent = raw.silent_server()
		local reg = open { endpoints = { silent.addr } }
		for _, wait in ipairs {
			function() reg:join("game", "127.0.0.1:1") end,
			function() reg:watch("game") end,
		} do
			local waiter = task.fork(wait)
			time.sleep(10)
			assert.is_true(task.cancel(waiter))
		end
		local good = open()
		local member = assert(good:join("game", "127.0.0.1:1", "a"))
		local leaver = task.fork(function() member:leave() end)
		task.fork(function() task.cancel(leaver) end)
		node.eventually(function()
			return not server:has("/silly/game/a")
		end, "the end of the registration")
	end))

	it("says which argument is wrong", with_etcd(function()
		local reg = open()
		local function refused(message, fn, ...)
			local ok, problem = helper.protect(fn, ...)
			assert.is_false(ok)
			assert.truthy(problem:find(message, 1, true), problem)
			assert.truthy(problem:find("registry_spec.lua", 1, true) or _VERSION == "Lua 5.1", problem)
		end
		local function opens(options)
			return function()
				registry.open(options)
			end
		end
		refused("registry.open: the first argument must be a table, got nil", opens(nil))
		refused("registry.open: unknown option 'endpoint' (did you mean 'endpoints'?)", opens { endpoint = "x" })
		refused("registry.open: endpoints must be a table, got string", opens { endpoints = "127.0.0.1:2379" })
		refused("registry.open: endpoints must be a list with at least one address", opens { endpoints = {} })
		refused('registry.open: bad endpoint "http://127.0.0.1:2379": wanted "ip:port", "[ipv6]:port" or "name:port"',
			opens { endpoints = { "http://127.0.0.1:2379" } })
		refused('registry.open: bad endpoint "unix:/x"', opens { endpoints = { "unix:/x" } })
		local there = { server.endpoint }
		refused("registry.open: ttl must be between 1 and 86400, got number 0", opens { endpoints = there, ttl = 0 })
		refused("registry.open: timeout must be between 1 and", opens { endpoints = there, timeout = 0 })
		refused("registry.open: prefix must be a string", opens { endpoints = there, prefix = 1 })
		refused("registry.open: password must be a string, got nil", opens { endpoints = there, user = "x" })
		refused("registry:join: the service must be", function() reg:join("a/b", "127.0.0.1:1") end)
		refused("registry:join: the address must be a string", function() reg:join("game") end)
		refused('registry:join: bad address ":80"', function() reg:join("game", ":80") end)
		refused("registry:join: the name must be", function() reg:join("game", "127.0.0.1:1", "a\nb") end)
		refused("registry:join: the first argument must be a registry", function() reg.join("game") end)
		refused("registry:watch: the callback must be a function", function() reg:watch("game", 1) end)
		assert.same({ nil, "the name is not UTF-8" }, { reg:join("game", "127.0.0.1:1", "\255") })
	end))
end)

describe("a program with a registry", function()
	after_each(function()
		etcd.close()
		raw.close_all()
	end)

	--- Starts an etcd, and runs a script to its end with its endpoint in `arg[1]`, and its pid in `arg[2]`.
	local function run(script)
		local result
		async(function()
			server = etcd.start(etcd.FAST)
		end, 60)()
		shell.write("script.lua", script)
		result = shell.command(("%s script.lua %s %d"):format(shell.lua, server.endpoint, server.pid), nil, nil, 20)
		return result
	end

	local PRELUDE = [[
		local silly, task, time = require "silly", require "silly.task", require "silly.time"
		local registry = require "silly.net.registry"
		local reg = assert(registry.open { endpoints = { arg and arg[1] or ENDPOINT }, ttl = 1 })
		local function threads()
			local count = 0
			for _ in io.popen("ls /proc/" .. silly.pid .. "/task"):lines() do count = count + 1 end
			return count
		end
	]]

	--- Whether a key is there, asked in a task.
	local function has(key)
		local found
		async(function()
			found = server:has(key)
		end)()
		return found
	end

	it("ends when all of it is closed, and not before", function()
		local result = run(PRELUDE .. [[
			task.fork(function()
				local view = assert(reg:watch("game", function(event, who) print(event, who.name) end))
				local member = assert(reg:join("game", "localhost:1", "a"))
				time.after(100, function() task.fork(function() member:leave() view:close() print "closed" end) end)
			end)
		]])
		assert.same({ status = 0, out = "joined\ta\nleft\ta\nclosed\n", err = "" }, result)
	end)

	it("has one thread, also where etcd has a name", function()
		local result = run(PRELUDE .. [[
			task.fork(function()
				local named = assert(registry.open { endpoints = { (arg[1]:gsub("^[%d.]+", "localhost")) } })
				assert(named:watch("game"))
				assert(named:join("game", "localhost:1", "a"))
				print(threads())
				silly.exit(0)
			end)
		]])
		assert.same({ status = 0, out = "1\n", err = "" }, result)
	end)

	it("gets no signal when etcd dies while it is busy", function()
		local result = run(PRELUDE .. [[
			task.fork(function()
				assert(reg:watch("game"))
				assert(reg:join("game", "localhost:1", "a"))
				time.sleep(300)
				os.execute("kill -KILL " .. arg[2])
				local began = time.monotonic()
				repeat until time.monotonic() - began > 1200 -- a renewal is due before the end was read
				time.sleep(300)
				print "alive"
				os.exit(0)
			end)
		]])
		assert.same({ 0, "alive\n" }, { result.status, result.out })
	end)

	it("takes its registrations back when it exits", function()
		local result = run(PRELUDE .. [[
			task.fork(function()
				assert(reg:watch("game"))
				assert(reg:join("game", "localhost:1", "a"))
				silly.exit(3)
			end)
		]])
		assert.same({ status = 3, out = "", err = "" }, result)
		assert.is_false(has("/silly/game/a"))
	end)

	it("exits within the usual time while etcd hangs", function()
		local began = os.time()
		local result = run(PRELUDE .. [[
			task.fork(function()
				assert(reg:join("game", "localhost:1", "a"))
				os.execute("kill -STOP " .. arg[2])
				silly.exit(4)
			end)
		]])
		assert.same({ status = 4, out = "", err = "" }, result)
		assert.is_true(os.time() - began < 10)
	end)

	it("may step by itself, and wait on the descriptor alone", function()
		local result = run(PRELUDE .. [[
			local socket = require "socket"
			local fd
			local subject = { getfd = function() return fd end, dirty = function() return false end }
			local seen, left = 0, false
			task.fork(function()
				assert(reg:watch("game", function() seen = seen + 1 end))
				local member = assert(reg:join("game", "localhost:1", "a"))
				time.sleep(2500) -- a lease of one second is kept alive by steps alone
				assert(seen == 1, seen)
				assert(member:leave())
				while seen < 2 do time.sleep(5) end
				reg:close()
				left = true
			end)
			fd = assert(silly.fd())
			while not left do
				assert(#socket.select({ subject }, nil, 5) > 0, "the descriptor says nothing")
				silly.step(0)
			end
			-- What is left of the connection is soon gone, and the descriptor silent.
			local quiet
			for _ = 1, 100 do
				quiet = #socket.select({ subject }, nil, 0.2) == 0
				if quiet then break end
				silly.step(0)
			end
			print(quiet, silly.pending())
			os.exit(0)
		]])
		assert.same({ status = 0, out = "true\tfalse\n", err = "" }, result)
	end)

	it("may fork: the child is told, and the parent's registration stays", function()
		local host, problem = shell.host()
		if not host then
			pending("no C host: " .. tostring(problem))
		end
		async(function()
			server = etcd.start(etcd.FAST)
		end, 60)()
		shell.write("hosted.lua", ("local ENDPOINT = %q\n"):format(server.endpoint) .. PRELUDE .. [[
			local member, view
			local function wait_for(body)
				local done
				task.fork(function() body() done = true end)
				while not done do silly.step(10) end
			end
			wait_for(function()
				view = assert(reg:watch("game"))
				member = assert(reg:join("game", "localhost:1", "a"))
			end)
			for number, way in ipairs {
				function() view:close() end,
				function() task.fork(function() member:leave() end) print(pcall(silly.step, 0)) end,
				function() silly.exit(0) end,
				function() collectgarbage() end,
			} do
				local pid = fork()
				if pid == 0 then
					local ok, why = pcall(way)
					if not ok then print(why) end
					leave(ok and 7 or 8)
				end
				assert(waitpid(pid) == 7, number)
				wait_for(function() time.sleep(300) end)
			end
			local pid = fork()
			if pid == 0 then return end -- and closes its state
			assert(waitpid(pid) == 0)
			wait_for(function()
				time.sleep(1200)
				assert(#view:nodes() == 1)
				reg:close()
			end)
			print "parent is well"
		]])
		local result = shell.command(host .. " run hosted.lua", nil, nil, 20)
		assert.equal("", result.err)
		assert.truthy(result.out:find("this process was forked from one that already used the network", 1, true))
		assert.truthy(result.out:find("parent is well\nhost: done\n$"), result.out)
		assert.equal(0, result.status)
	end)

	it("may be closed with all of it open", function()
		local host, problem = shell.host()
		if not host then
			pending("no C host: " .. tostring(problem))
		end
		async(function()
			server = etcd.start(etcd.FAST)
		end, 60)()
		shell.write("hosted.lua", ("local ENDPOINT = %q\n"):format(server.endpoint) .. PRELUDE .. [[
			local done
			task.fork(function()
				assert(reg:watch("game", function() end))
				assert(reg:join("game", "localhost:1", "a"))
				done = true
				reg:join("game", "localhost:2", "b")
			end)
			while not done do silly.step(10) end
			print "open"
		]])
		local result = shell.command(host .. " run hosted.lua hosted.lua", nil, nil, 20)
		assert.same({ status = 0, out = "open\nopen\nhost: done\n", err = "" }, result)
	end)

	it("is closed by silly.testing, and told of by what keeps the loop", function()
		local result = run(PRELUDE .. [[
			local testing, open = require "silly.testing", require "silly.internal.open"
			testing.task(function()
				assert(reg:watch("game"))
				assert(reg:join("game", "localhost:1", "a"))
				print((open.describe():gsub("task[^\n]*\n.-\n\tr", "\n\tr")))
			end)()
			while silly.step(10) do end
			print "nothing is left"
			os.exit(0)
		]])
		assert.equal("", result.err)
		assert.truthy(result.out:find("1 registration, 1 view", 1, true), result.out)
		assert.truthy(result.out:find("\tregistration: a in game\n\tview: of game", 1, true), result.out)
		assert.truthy(result.out:find("nothing is left\n$"), result.out)
		assert.is_false(has("/silly/game/a"))
	end)
end)
