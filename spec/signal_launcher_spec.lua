--- What SIGTERM, SIGHUP and SIGQUIT do to a script under the launcher.

local time = require "silly.time"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local wire = require "spec.support.wire"
local process = require "spec.support.shell"

local HEAD = [[
local silly, task, time = require "silly", require "silly.task", require "silly.time"
local signal, logger = require "silly.signal", require "silly.logger"
]]

local function start(text)
	return process.start(HEAD .. text, { command = process.launcher })
end

--- Demands how a child has ended; 5.1 does not tell.
local function ended(result, how, number)
	assert.equal("", result.err)
	if result.how then
		assert.same({ how, number }, { result.how, result.number })
	end
end

teardown(process.clean)

describe("SIGTERM under the launcher", function()
	before_each(node.before)
	after_each(node.after)

	it("has what is queued delivered, then ends with 143", async(function()
		local count, size = 200, 60000
		local child = start(([[
			local cluster = require "silly.net.cluster"
			local answered = 0
			cluster.serve { marshal = function(_, c, b) return c, b end, unmarshal = function(_, _, d) return d end,
				call = function()
					answered = answered + 1
					if answered == %d then
						task.fork(function() print "answered" io.stdout:flush() end)
					end
					return ("x"):rep(%d)
				end }
			print(assert(cluster.listen "127.0.0.1:0").addr)
		]]):format(count, size))
		local peer = raw.connect(child.read())
		for session = 0, count - 1 do
			peer:send(wire.request(session, 1, "x"))
		end
		assert.equal("answered", child.read()) -- 12 MB, more than fits between the two
		child.kill("TERM")
		assert.equal(count, #peer:frames(count))
		assert.is_true(peer:has_ended())
		ended(child.wait(), "exit", 143)
	end))

	it("ends a script that waits at once", function()
		local child = start "print 'ready' time.sleep(60000)"
		assert.equal("ready", child.read())
		local began = time.monotonic()
		child.kill("TERM")
		ended(child.wait(), "exit", 143)
		assert.is_true(time.monotonic() - began < 1500)
	end)

	it("ends a script that computes when two seconds are over", function()
		local child = start "print 'ready' io.stdout:flush() while true do end"
		assert.equal("ready", child.read())
		local began = time.monotonic()
		child.kill("TERM")
		ended(child.wait(), "signal", 15)
		local took = time.monotonic() - began
		assert.is_true(took >= 1900 and took < 10000, took)
	end)

	it("ends a script that computes at once when it comes again", function()
		local child = start "print 'ready' io.stdout:flush() while true do end"
		assert.equal("ready", child.read())
		local began = time.monotonic()
		-- Two that come before the first is handled count as one.
		os.execute(("for i in 1 2 3 4 5; do kill -TERM %d; sleep 0.02; done"):format(child.pid))
		ended(child.wait(), "signal", 15)
		assert.is_true(time.monotonic() - began < 1900)
	end)

	it("is the script's own once it has a handler, and the launcher's again without", function()
		local child = start [[
			assert(signal("SIGTERM", function(name)
				time.sleep(1)
				print("caught", name)
				signal("SIGTERM", nil)
				print "gone"
			end) == nil)
			print "ready"
			time.sleep(60000)
		]]
		assert.equal("ready", child.read())
		child.kill("TERM")
		assert.equal("caught\tSIGTERM", child.read())
		assert.equal("gone", child.read())
		child.kill("TERM")
		ended(child.wait(), "exit", 143)
	end)
end)

describe("SIGHUP under the launcher", function()
	it("opens the log again, unless the script has a handler", function()
		local child = start [[
			assert(logger.setoutput "app.log")
			logger.info "one"
			assert(os.rename("app.log", "app.log.1"))
			logger.info "two"
			print "ready"
			while not io.open "app.log" do time.sleep(1) end
			logger.info "three"
			signal("SIGHUP", function() print "mine" silly.exit(3) end)
			print "again"
			time.sleep(60000)
		]]
		assert.equal("ready", child.read())
		child.kill("HUP")
		assert.equal("again", child.read())
		child.kill("HUP")
		local result = child.wait()
		assert.equal("mine\n", result.out)
		ended(result, "exit", 3)
		assert.matches("one\n.* two\n$", process.read("app.log.1"))
		assert.matches("^%S+ %S+ %S+ I %S+ three\n$", process.read("app.log"))
	end)

	it("says so when the log cannot be opened again, and goes on", function()
		local child = start [[
			assert(os.execute "mkdir logs")
			assert(logger.setoutput "logs/app.log")
			assert(os.execute "mv logs moved")
			print "ready"
			time.sleep(60000)
		]]
		assert.equal("ready", child.read())
		child.kill("HUP")
		child.kill("TERM")
		ended(child.wait(), "exit", 143)
		assert.matches(" E .*reopen the log: No such file or directory\n$", process.read("moved/app.log"))
	end)
end)

describe("SIGQUIT under the launcher", function()
	--- Sends it, and gives what the log has of it once the script goes on.
	local function ask(script)
		process.write("app.log", "")
		local child = start("assert(logger.setoutput 'app.log')\n" .. script .. [[

			task.fork(function()
				print "ready"
				io.stdout:flush()
				repeat time.sleep(1) until io.open("app.log"):read "*a":find "still open"
				print "goes on"
				silly.exit(0)
			end)
		]])
		assert.equal("ready", child.read())
		child.kill("QUIT")
		assert.equal("goes on", child.read())
		ended(child.wait(), "exit", 0)
		return process.read("app.log")
	end

	it("logs what keeps the script from ending, each thing with what tells it from others", function()
		local text = ask [[
			local cluster, tcp = require "silly.net.cluster", require "silly.net.tcp"
			cluster.serve { marshal = function(_, c, b) return c, b end, unmarshal = function(_, _, d) return d end,
				call = function() time.sleep(60000) end }
			local listener = cluster.listen "127.0.0.1:0"
			local peer = cluster.connect(listener.addr)
			cluster.connect "127.0.0.1:1" -- has no connection, and so keeps nobody
			cluster.close(cluster.listen "127.0.0.1:0")
			local door = tcp.listen { addr = "127.0.0.1:0", accept = function(conn) conn:read(1) end }
			kept = tcp.connect(door.addr)
			for _ = 1, 3 do
				task.fork(function() cluster.call(peer, 1, "x") end)
			end
			logger.setlevel(logger.ERROR) -- who asks is answered at any level
			logger.errorf("at %s and %s", listener.addr, door.addr)
			time.after(60000, function() end)
			time.cancel(time.after(60000, function() end))
			time.sleep(5)
		]]
		local at, door = text:match(" at (%S+) and (%S+)\n")
		for _, wanted in ipairs {
			" I [silly] still open: ", " 1 timer, 2 connections, 1 listener, 1 TCP listener, 2 TCP connections\n",
			"\n\ttask (3 times): waits for silly.net.cluster\n\t\t", "\n\ttask (3 times): waits for silly.time\n\t\t",
			"\n\ttask: waits for silly.net.tcp\n\t\t", "\n\t\tscript.lua:14: in ",
			"\n\ttimer: calls script.lua:18\n", "\n\tconnection: to " .. at .. "\n",
			"\n\tconnection: from 127.0.0.1:", "\n\tlistener: " .. at .. "\n", "\n\tTCP listener: " .. door .. "\n",
			"\n\tTCP connection: with " .. door .. "\n",
		} do
			assert.truthy(text:find(wanted, 1, true), wanted .. text)
		end
		assert.is_nil(text:find("127.0.0.1:1\n", 1, true))
	end)

	it("does not let the log grow by what there is a lot of", function()
		local text = ask [[
			for index = 1, 1000 do
				time.after(60000, assert((loadstring or load)("return function() end", "=part " .. index))())
				time.after(60000, print)
			end
		]]
		assert.truthy(text:find(" 2000 timers\n", 1, true), text)
		assert.truthy(text:find("\n\tand 981 more such lines\n", 1, true), text)
	end)

	it("is the script's own once it has a handler", function()
		local child = start [[
			signal("SIGQUIT", function() print "mine" silly.exit(3) end)
			print "ready"
			time.sleep(60000)
		]]
		assert.equal("ready", child.read())
		child.kill("QUIT")
		local result = child.wait()
		assert.equal("mine\n", result.out)
		ended(result, "exit", 3)
	end)
end)
