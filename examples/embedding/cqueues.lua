-- cqueues runs the program, and silly is a guest in one of its coroutines, which polls an object
-- and steps when it is ready. It needs cqueues (Debian's lua-cqueues) and Linux.
--
-- Start it with the interpreter; under bin/silly there is a loop already.
--
-- Prints:
--   answer: HELLO
--   cqueues' own coroutine ran meanwhile: true
--   nothing is pending any more

local cqueues = require "cqueues"

local cluster = require "silly.net.cluster"
local silly = require "silly"
local task = require "silly.task"
local time = require "silly.time"

local loop = cqueues.new()

-- What every such program needs: whatever has these three methods can be polled.
local fd = assert(silly.fd())
local ready = {
	pollfd = function()
		return fd
	end,
	events = function()
		return "r"
	end,
	timeout = function() end, -- none: the descriptor knows of timers, too
}
local over = false
loop:wrap(function()
	repeat
		cqueues.poll(ready)
	until not silly.step(0)
	over = true
	print("nothing is pending any more")
end)

-- The rest is any silly program.
cluster.serve {
	marshal = function(_, cmd, body)
		return body and cmd, body
	end,
	unmarshal = function(_, _, data)
		return data
	end,
	call = function(_, _, body)
		time.sleep(50)
		return body:upper()
	end,
}

local ticks = 0
loop:wrap(function()
	while not over do
		cqueues.sleep(0.005)
		ticks = ticks + 1
	end
end)

task.fork(function()
	local listener = assert(cluster.listen("127.0.0.1:0"))
	local peer = cluster.connect(listener.addr)
	print("answer: " .. assert(cluster.call(peer, 1, "hello")))
	print("cqueues' own coroutine ran meanwhile: " .. tostring(ticks > 0))
	cluster.close(peer)
	cluster.close(listener)
end)

assert(loop:loop())
