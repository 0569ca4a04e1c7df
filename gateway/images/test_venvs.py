"""Virtual environments of functions with requirements of their own."""

import subprocess
import zipfile

import pytest

from gateway.images import MissingVenvError, VenvError, VenvStore


def make_wheel(folder, name="genie_sample", value="42"):
    """A package without a download: wheels are archives with three small files of metadata."""
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", f"VALUE = {value!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return wheel


def test_no_requirements_mean_this_interpreter(tmp_path):
    venvs = VenvStore(tmp_path)
    assert venvs.python(()) == venvs.prepare(())
    assert list(tmp_path.iterdir()) == []


def test_a_venv_that_was_not_made_says_how_to_make_it(tmp_path):
    with pytest.raises(MissingVenvError, match=r"rich.*genie build"):
        VenvStore(tmp_path).python(("rich",))


@pytest.mark.slow
def test_a_venv_has_its_own_and_the_default_packages_and_is_made_once(tmp_path):
    venvs, lines = VenvStore(tmp_path / "venvs"), []
    requirements = (str(make_wheel(tmp_path)),)
    python = venvs.prepare(requirements, lines.append)
    assert any("Successfully installed" in line for line in lines)
    code = "import genie_sample, flask, gateway; print(genie_sample.VALUE)"
    assert (
        subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
        == "42\n"
    )
    lines.clear()
    assert venvs.prepare(requirements, lines.append) == venvs.python(requirements)
    assert lines == []


@pytest.mark.slow
def test_what_pip_says_is_in_the_error_and_the_venv_does_not_count(tmp_path):
    venvs = VenvStore(tmp_path / "venvs")
    requirements = (str(tmp_path / "absent.whl"),)
    with pytest.raises(VenvError, match=r"absent\.whl"):
        venvs.prepare(requirements)
    with pytest.raises(MissingVenvError):
        venvs.python(requirements)
