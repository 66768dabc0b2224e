--- What SIGTERM and SIGHUP do to a script under the launcher.

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
