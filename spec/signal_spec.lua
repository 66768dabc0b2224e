local signal = require "silly.signal"
local silly = require "silly"
local time = require "silly.time"
local task = require "silly.task"
local numbers = require "silly.core".signals
local log = require "spec.support.log"
local process = require "spec.support.shell"

local NAMES = {}
for name in ("INT ILL ABRT FPE SEGV TERM HUP QUIT TRAP BUS SYS PIPE ALRM URG TSTP CONT CHLD TTIN TTOU POLL "
	.. "XCPU XFSZ VTALRM PROF USR1 USR2"):gmatch("%S+") do
	NAMES[#NAMES + 1] = "SIG" .. name
end

local HEAD = [[
local silly, task, time = require "silly", require "silly.task", require "silly.time"
local signal = require "silly.signal"
local function raise(name)
	local number = require "silly.core".signals[name]
	io.popen(("kill -%d %d"):format(number, silly.pid)):close() -- os.execute ignores SIGINT meanwhile
end
]]

local NODE = [[
local cluster = require "silly.net.cluster"
cluster.serve { marshal = function(_, c, b) return c, b end, unmarshal = function(_, _, d) return d end,
	call = function(_, _, b) return b end }
assert(cluster.listen "127.0.0.1:0")
]]

local function raise(name)
	io.popen(("kill -%d %d"):format(numbers[name], silly.pid)):close() -- os.execute ignores SIGQUIT meanwhile
end

local function ends(status, out, result)
	assert.same({ status = status, out = out, err = "" }, result)
end

teardown(process.clean)

describe("silly.signal", function()
	before_each(log.capture)
	after_each(function()
		for _, name in ipairs(NAMES) do
			signal(name, nil)
		end
		log.release()
	end)

	it("returns the handler before, and nil when there was none", function()
		local function one() end
		local function other() end
		for _, name in ipairs(NAMES) do
			assert.is_nil(signal(name, nil))
			assert.is_nil(signal(name, one))
			assert.equal(one, signal(name, other))
			assert.equal(other, signal(name, nil))
			assert.is_nil(signal(name))
		end
	end)

	it("calls the handler with the name, in a task", async(function()
		local waiting = task.running()
		for _, name in ipairs(NAMES) do
			if name ~= "SIGINT" and name ~= "SIGTERM" then -- a host's own while it drives the loop
				signal(name, function(...)
					assert(select("#", ...) == 1 and task.running())
					task.wakeup(waiting, ...)
				end)
				raise(name)
				assert.equal(name, task.wait())
				signal(name, nil)
			end
		end
	end))

	it("lets a handler sleep, and a second signal begin meanwhile", async(function()
		local waiting, begun, over = task.running(), 0, 0
		signal("SIGUSR1", function()
			begun = begun + 1
			if begun == 1 then
				raise("SIGUSR1")
			else
				task.wakeup(waiting)
			end
			time.sleep(20)
			over = over + 1
			if over == 2 then
				task.wakeup(waiting)
			end
		end)
		raise("SIGUSR1")
		task.wait()
		assert.same({ 2, 0 }, { begun, over })
		task.wait()
		assert.same({ 2, 2 }, { begun, over })
	end))

	it("hears the last signal of a storm", async(function()
		local waiting, heard, sent = task.running(), 0, false
		signal("SIGUSR1", function()
			heard = heard + 1
			if sent then
				task.wakeup(waiting)
			end
		end)
		local pipe = io.popen(("for i in $(seq 500); do kill -USR1 %d; done; echo over"):format(silly.pid))
		assert.equal("over", pipe:read("*l"))
		pipe:close()
		sent = true -- whatever came so far has not been handed over yet
		task.wait()
		assert.is_true(heard >= 1)
		raise("SIGUSR1")
		task.wait()
	end))

	it("logs an error in a handler, which is called again", async(function()
		local waiting, count = task.running(), 0
		signal("SIGUSR2", function()
			count = count + 1
			task.wakeup(waiting)
			error("in the handler")
		end)
		for _ = 1, 2 do
			raise("SIGUSR2")
			task.wait()
		end
		time.sleep(0) -- the error comes after the wakeup
		assert.equal(2, count)
		assert.equal(2, log.count("E"))
		assert.matches("in the handler", log.text(), 1, true)
	end))

	it("logs a name that is none and returns nil", function()
		assert.is_nil(signal("SIGNONE", function() end))
		assert.is_nil(signal("USR1", function() end))
		assert.equal(2, log.count("E"))
		assert.matches("there is no signal SIGNONE", log.text(), 1, true)
	end)

	it("raises for signals that nobody can catch, and for arguments that make no sense", function()
		for _, name in ipairs { "SIGKILL", "SIGSTOP" } do
			local ok, why = pcall(signal, name, function() end)
			assert.is_false(ok)
			assert.matches("silly.signal: " .. name .. ": Invalid argument", why, 1, true)
		end
		local function refusal(...)
			return select(2, pcall(signal, ...))
		end
		assert.matches("silly.signal: the name must be a string, got number 15", refusal(15), 1, true)
		assert.matches("silly.signal: the handler must be a function, got string", refusal("SIGHUP", "x"), 1, true)
	end)

	it("ends the wait of a loop, with sockets or without", function()
		for _, before in ipairs { "", NODE } do
			local child = process.start(HEAD .. before .. [[
				signal("SIGUSR1", function(name) print(name) silly.exit(7) end)
				time.after(60000, print)
				print "ready"
			]])
			assert.equal("ready", child.read())
			child.kill("USR1")
			local result = child.wait()
			assert.equal("SIGUSR1\n", result.out)
			if result.how then -- 5.1 does not tell
				assert.same({ "exit", 7 }, { result.how, result.number })
			end
		end
	end)

	it("wakes a host that waits by itself", function()
		ends(0, "SIGUSR1\n", process.script(HEAD .. [[
			local fd, heard = assert(silly.fd()), false
			local subject = { getfd = function() return fd end, dirty = function() return false end }
			local function readable(seconds)
				return #require "socket".select({ subject }, nil, seconds) > 0
			end
			signal("SIGUSR1", function(name) print(name) heard = true end)
			while readable(0) do silly.step(0) end
			assert(silly.timeout() == nil)
			raise "SIGUSR1"
			assert(readable(10) and silly.timeout() == 0)
			while not heard do assert(readable(10)) silly.step(0) end
			while readable(0) do silly.step(0) end
			os.exit(0)
		]]))
	end)

	it("keeps no loop alive", function()
		ends(0, "end of the script\n", process.script(HEAD .. [[
			signal("SIGUSR1", print)
			print "end of the script"
		]]))
	end)

	it("has SIGINT and SIGTERM once the loop runs, and only then", function()
		for _, name in ipairs { "SIGINT", "SIGTERM" } do
			ends(4, name .. "\n", process.script(HEAD .. ([[
				signal("%s", function(name) print(name) silly.exit(4) end)
				task.fork(function() raise "%s" time.sleep(60000) end)
			]]):format(name, name)))
		end
	end)

	it("gives SIGINT and SIGTERM their own way back when the handler is taken away", function()
		for _, name in ipairs { "INT", "TERM" } do
			local child = process.start(HEAD .. ([[
				signal("SIG%s", print)
				task.fork(function() signal("SIG%s", nil) print "ready" time.sleep(60000) end)
			]]):format(name, name))
			assert.equal("ready", child.read())
			child.kill(name)
			local result = child.wait()
			assert.equal("", result.out)
			if result.how then
				assert.same({ "signal", numbers["SIG" .. name] }, { result.how, result.number })
			end
		end
	end)

	it("leaves a signal alone that it could not watch in full, for lack of descriptors", function()
		process.write("script.lua", HEAD .. NODE .. [[
			local files = {}
			local file = io.open "/dev/null"
			while file do
				files[#files + 1] = file
				file = io.open "/dev/null"
			end
			for _ = 1, 2 do table.remove(files):close() end -- one less than it takes
			print(signal("SIGHUP", print))
			for _, open in ipairs(files) do open:close() end
			task.fork(function() raise "SIGHUP" time.sleep(3000) silly.exit(0) end)
		]])
		local command = ('sh -c "ulimit -n 64; exec %s script.lua"'):format(process.lua)
		local result = process.command(command)
		assert.equal("nil\tno event loop to be had: Too many open files\n", result.out)
		assert.equal(128 + numbers.SIGHUP, result.status)
	end)

	it("takes a fault's signal that somebody sends for what it is", function()
		local child = process.start(HEAD .. [[
			signal("SIGSEGV", function(name) print(name) silly.exit(3) end)
			task.fork(function() raise "SIGSEGV" time.sleep(60000) end)
		]])
		assert.equal("SIGSEGV\n", child.wait().out)
	end)
end)

describe("a host with signal handlers of its own", function()
	it("has them back when the handler is gone, the loop over or the state closed", function()
		local host, problem = process.host()
		if not host then
			pending("no C host: " .. tostring(problem))
		end
		process.write("hosted.lua", HEAD .. [[
			print(handles())
			signal("SIGHUP", print)
			signal("SIGUSR1", print)
			signal("SIGTERM", print)
			print(handles())
			signal("SIGUSR1", nil)
			silly.step(0)
			print(handles())
			silly.run(function() time.sleep(1) print(handles()) end)
			print(handles())
			signal("SIGUSR1", print)
		]])
		ends(0, table.concat({
			"SIGINT SIGTERM SIGHUP SIGUSR1 ",
			"SIGINT SIGTERM ",
			"SIGINT SIGTERM SIGUSR1 ",
			"SIGUSR1 ",
			"SIGINT SIGTERM SIGUSR1 ",
			"host handles SIGINT SIGTERM SIGHUP SIGUSR1 ",
			"host: done",
			"",
		}, "\n"), process.command(host .. " signals hosted.lua"))
	end)
end)
